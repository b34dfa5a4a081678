/**
 * What outsiders are expected to see, from a file: one port a line, and nothing else may be open.
 *
 *     tcp/80                  # open, over IPv4 and IPv6
 *     tcp/113 closed
 *     tcp/443 open ipv6
 *
 * `nothing` alone: no port is open. Pure.
 */
import { nearest } from '../config/reading/nearest.ts'
import { type AddressFamily, familyOf, type IpAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { parsePort } from '../units.ts'
import { PORT_STATES, type PortState, type Protocol, type ScanRun } from './nmap-result.ts'
import { portTable } from './port-table.ts'

export interface Expected {
  readonly protocol: Protocol
  readonly port: number
  readonly state: PortState
  /** Absent: both. */
  readonly family?: AddressFamily
}

/** Bytes. */
export const LONGEST_EXPECTATION = 1 << 20
const FAMILIES = ['ipv4', 'ipv6'] as const

/** @returns CONFIG_SYNTAX with file and line for anything else, and for a file that names nothing. */
export function parseExpected(text: string, file: string): Result<readonly Expected[], Failure<'CONFIG_SYNTAX'>> {
  const found: Expected[] = []
  let nothing: number | undefined
  for (const [index, whole] of text.split('\n').entries()) {
    const words = whole.replace(/#.*/, '').trim().split(/\s+/).filter(Boolean)
    const [first, ...rest] = words
    if (first === undefined) continue
    const at = { file, line: index + 1 }
    const no = (detail: string, suggestion?: string) =>
      refuse('CONFIG_SYNTAX', detail, { at, ...(suggestion !== undefined && { suggestion }) })
    if (first === 'nothing' && rest.length === 0) {
      nothing = at.line
      continue
    }
    const named = parseNamed(first)
    if (named === undefined) return no(`“${first}” is not a port, such as tcp/80 or 80/tcp`)
    let state: PortState | undefined
    let family: AddressFamily | undefined
    for (const word of rest) {
      const isState = PORT_STATES.find((each) => each === word)
      if (isState !== undefined && state === undefined) state = isState
      else if (FAMILIES.some((each) => each === word) && family === undefined) family = word === 'ipv4' ? 4 : 6
      else {
        const known = [...PORT_STATES, ...FAMILIES]
        if (known.some((each) => each === word)) return no(`“${word}” is one word too many: one state, one family`)
        return no(`“${word}” is not one of ${known.join(', ')}`, nearest(word, known))
      }
    }
    const expected = { ...named, state: state ?? 'open', ...(family !== undefined && { family }) }
    if (found.some((each) => isSamePort(each, expected))) return no(`${first} is named twice`)
    found.push(expected)
  }
  if (nothing !== undefined && found.length > 0)
    return refuse('CONFIG_SYNTAX', 'other lines name ports, so not nothing is expected', {
      at: { file, line: nothing },
    })
  if (nothing === undefined && found.length === 0)
    return refuse('CONFIG_SYNTAX', `${file} names no port. If none may be open, write “nothing”`)
  return ok(found)
}

function parseNamed(text: string): Pick<Expected, 'protocol' | 'port'> | undefined {
  const [one = '', other = '', more] = text.split('/')
  const [protocol, number] = one === 'tcp' || one === 'udp' ? [one, other] : [other, one]
  const port = parsePort(number)
  if (more !== undefined || (protocol !== 'tcp' && protocol !== 'udp') || !port.ok) return undefined
  return { protocol, port: port.value }
}

function isSamePort(one: Expected, other: Expected): boolean {
  const overlap = one.family === undefined || other.family === undefined || one.family === other.family
  return one.protocol === other.protocol && one.port === other.port && overlap
}

export interface Judgement {
  /** Sentences: what is not as expected. */
  readonly surprises: readonly string[]
  /** Sentences: what the scan cannot say. */
  readonly unknown: readonly string[]
}

/** @param passed ports about which nothing is expected. */
export function judgeExpected(
  { hosts, asked }: ScanRun,
  expected: readonly Expected[],
  passed: (address: IpAddress, protocol: Protocol, port: number) => boolean = () => false,
): Judgement {
  const surprises: string[] = []
  const unknown: string[] = []
  for (const family of [4, 6] as const)
    if (expected.some((each) => each.family === family) && !hosts.some(({ address }) => familyOf(address) === family))
      unknown.push(`no address of IPv${family} was scanned`)
  for (const host of hosts) {
    const ours = expected.filter(({ family }) => family === undefined || family === familyOf(host.address))
    for (const protocol of ['tcp', 'udp'] as const) {
      const table = portTable(host, asked, protocol)
      const named = new Map(ours.filter((each) => each.protocol === protocol).map(({ port, state }) => [port, state]))
      for (let port = 0; port <= 65_535; port++) {
        const [state, wanted] = [table.at(port), named.get(port)]
        if (state === 'not asked' && wanted === undefined) continue
        if (passed(host.address, protocol, port)) continue
        const what = `${host.address}: ${protocol}/${port}`
        if (wanted === undefined) {
          if (state === 'open') surprises.push(`${what} is open, and not expected to be`)
        } else if (state === 'not asked') unknown.push(`${what} was not asked`)
        else if (state === 'counted' && wanted !== 'open') unknown.push(`${what} is only counted by this scan`)
        else if (state !== wanted)
          surprises.push(`${what} is ${state === 'counted' ? 'not open' : state}, and expected to be ${wanted}`)
      }
    }
  }
  return { surprises, unknown }
}
