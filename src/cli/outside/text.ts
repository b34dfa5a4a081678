/** The text of `ghostport outside`. What services say comes from outside: terminal/line.ts makes it printable. */
import type { IpAddress } from '../../packet/address.ts'
import type { Comparison, Difference } from '../../scan/compare.ts'
import type { Judgement } from '../../scan/expect.ts'
import { PORT_STATES, type ScanRun } from '../../scan/nmap-result.ts'
import { showRanges } from '../../scan/port-table.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import { shortened } from '../terminal/shortened.ts'
import type { Terminal } from '../terminal/terminal.ts'

export function noteWarnings(warnings: readonly string[], terminal: Terminal): void {
  for (const warning of warnings) terminal.note(`warning: ${warning}`)
}

/** @param from by address of the target: from where it was asked. */
export function runLines(
  { hosts, asked }: ScanRun,
  from: ReadonlyMap<IpAddress, IpAddress>,
  style: Style,
): readonly Line[] {
  const count = [...asked.values()].flat().reduce((sum, [first, last]) => sum + last - first + 1, 0)
  return hosts.flatMap(({ address, listed, services, others }) => {
    const source = from.get(address)
    const towards = source === undefined ? '' : `, seen from ${source}`
    const open = [...listed].filter(([, state]) => state === 'open')
    const rest = new Map<string, number>()
    const add = (state: string, number: number): void => void rest.set(state, (rest.get(state) ?? 0) + number)
    for (const [, state] of listed) if (state !== 'open') add(state, 1)
    for (const { state, ports } of others) for (const [first, last] of ports) add(state, last - first + 1)
    return [
      line`${style.bold(address)}${towards}: ${count} ports asked`,
      ...open.map(([name]) => {
        const said = services.get(name)
        return `  ${name}: open${said === undefined ? '' : `, says ${quoted(said)}`}`
      }),
      ...PORT_STATES.flatMap((state) => (rest.has(state) ? [`  ${rest.get(state)} ${state}`] : [])),
    ]
  })
}

/** Of addresses that did not answer at all. */
export function silentWarnings({ hosts }: ScanRun): readonly string[] {
  return hosts.flatMap(({ address, listed, others }) => {
    const answered = [...listed.values(), ...others.map(({ state }) => state)].some((state) => ANSWERS.has(state))
    return answered
      ? []
      : [`no port of ${address} answered. A host that is down, or a network that drops all on the way, looks the same`]
  })
}

const ANSWERS: ReadonlySet<string> = new Set(['open', 'closed', 'unfiltered'])

export function expectationLines({ surprises, unknown }: Judgement, file: string, style: Style): readonly Line[] {
  if (surprises.length + unknown.length === 0) return [line`${style.good('as expected')} by ${file}`]
  return [
    ...(surprises.length === 0 ? [] : [line`${style.bad('not as expected')} by ${file}:`]),
    ...surprises.map((each) => `  ${each}`),
    ...unknown.map((each) => `not known: ${each}`),
  ]
}

/** @param names of the two scans. */
export function comparisonLines(
  { differences, askedOnce }: Comparison,
  [one, two]: readonly [string, string],
  style: Style,
): readonly Line[] {
  const skipped = askedOnce.map(({ protocol, ports }) => `${protocol}/${showRanges([ports])}`)
  const notCompared = skipped.length === 0 ? [] : [`not compared, since only one of them asked: ${shortened(skipped)}`]
  if (differences.length === 0) return [line`${style.good('the same')}: ${one} and ${two}`, ...notCompared]
  const addresses = [...new Set(differences.map(({ address }) => address))]
  return [
    line`${style.bad('different')}: ${one} → ${two}`,
    ...addresses.flatMap((address) => [
      address,
      ...differences.filter((each) => each.address === address).map(differenceLine),
    ]),
    ...notCompared,
  ]
}

export function differenceLine({ kind, protocol, ports, before, after }: Difference): Line {
  switch (kind) {
    case 'host':
      return `  the host: ${before} → ${after}`
    case 'count':
      return `  all ports: ${before} → ${after}`
    case 'state':
      return `  ${protocol}/${showRanges(ports === undefined ? [] : [ports])}: ${before} → ${after}`
    case 'service':
      return `  ${protocol}/${showRanges(ports === undefined ? [] : [ports])} says: ${quoted(before)} → ${quoted(after)}`
    default:
      return kind satisfies never
  }
}

export function quoted(said: string): string {
  return said === '' ? 'nothing' : `“${said}”`
}
