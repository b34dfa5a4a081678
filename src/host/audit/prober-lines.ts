/** The lines between the audit and its prober, one JSON object each. Both ends read strictly. */
import { jsonLine } from '../../bytes/text.ts'
import { either, integer, literal, parsed, type Reader, record } from '../../json-reader.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'

export interface ProbeQuestion {
  readonly id: number
  readonly protocol: 'tcp' | 'udp'
  readonly address: IpAddress
  readonly port: number
  /** Its own for each question: the trace is told by it. */
  readonly sourcePort: number
  /** How long to wait for an answer, in milliseconds. */
  readonly time: number
}

/**
 * `open`: the port answered. `refused`: nobody listens there, or a rule says so. `rejected`: an ICMP error of another
 * kind. `silence`: nothing came.
 */
export type ProbeAnswer = 'open' | 'refused' | 'rejected' | 'silence'

const id = integer({ min: 0, max: 1_000_000 })
const anyPort = integer({ min: 1, max: 65_535 })

const question: Reader<ProbeQuestion> = record(
  {
    id,
    protocol: either(literal('tcp'), literal('udp')),
    address: parsed<IpAddress>(parseAddress),
    port: anyPort,
    sourcePort: anyPort,
    time: integer({ min: 1, max: 60_000 }),
  },
  {},
)
const answer = record(
  { id, answer: either(literal('open'), literal('refused'), literal('rejected'), literal('silence')) },
  {},
)

export function writeLine(value: ProbeQuestion | { readonly id: number; readonly answer: ProbeAnswer }): string {
  return `${jsonLine(value)}\n`
}

/** @returns undefined for anything else. */
export function parseQuestion(line: string): ProbeQuestion | undefined {
  return question(jsonOf(line))
}

/** @returns undefined for anything else. */
export function parseAnswer(line: string): { readonly id: number; readonly answer: ProbeAnswer } | undefined {
  return answer(jsonOf(line))
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
