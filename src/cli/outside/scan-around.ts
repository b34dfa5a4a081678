/** `ghostport outside TARGET --knock STANZA`: three scans, and what the knock changed for others. */
import { extname } from 'node:path'
import { systemResolve } from '../../client/resolve.ts'
import type { IpAddress } from '../../packet/address.ts'
import { ok, refuse } from '../../result.ts'
import { type Comparison, compareScans, type Difference } from '../../scan/compare.ts'
import { judgeExpected } from '../../scan/expect.ts'
import type { Vantage } from '../../scan/vantage.ts'
import { writeResult } from '../../scan/write-result.ts'
import { replaceUserFile } from '../../system/replace-user-file.ts'
import { milliseconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { line } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { knockFor, lifetimeOf, planStanza, portsOfKnock, vantages } from './around-knock.ts'
import { askedFor } from './asked.ts'
import { failed } from './failed.ts'
import { comparisonJson, runJson } from './json.ts'
import type { Given } from './options.ts'
import { aimAt, longest, type Scanned, scan } from './scan.ts'
import { statusOf, withSkipped } from './scan-target.ts'
import { comparisonLines, differenceLine, expectationLines, noteWarnings, runLines, silentWarnings } from './text.ts'

const TIMES = ['before', 'during', 'after'] as const

export async function scanAround(target: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const asked = askedFor(given)
  if (!asked.ok) return failed(asked.failure, given, terminal)
  const { expected, after } = asked.value
  const planned = await planStanza(given, given.knock ?? '', terminal)
  if (!planned.ok) return failed(planned.failure, given, terminal)
  const { plan } = planned.value
  const knocked = portsOfKnock(plan)
  const wish = {
    ...asked.value.wish,
    ports: [...new Set([...asked.value.wish.ports, ...knocked])].sort((a, b) => a - b),
  }
  const aim = await aimAt(target, wish)
  if (!aim.ok) return failed(aim.failure, given, terminal)
  const { addresses, skipped } = aim.value
  const server = await systemResolve(plan.server)
  const warnings: string[] = [...(expected === undefined ? skipped : [])]
  if (server.ok && !server.value.some((address) => addresses.has(address)))
    warnings.push(`the knock is for ${plan.server}, which has none of the addresses that are scanned`)
  const seats = await vantages(aim.value, planned.value)
  const lifetime = lifetimeOf(plan)

  const scans: Scanned[] = []
  const look = async (): Promise<Outcome | undefined> => {
    const scanned = await scan(aim.value, wish)
    if (!scanned.ok) return failed(scanned.failure, given, terminal)
    const when = TIMES[scans.push(scanned.value) - 1] ?? ''
    const file = given.save === undefined ? undefined : fileOf(given.save, when)
    const saved =
      file === undefined ? ok(undefined) : replaceUserFile(file, writeResult(scanned.value.run, scanned.value))
    return saved.ok ? undefined : failed(saved.failure, given, terminal)
  }
  const say = (text: string): void => {
    if (given.json === 0) terminal.note(text)
  }
  say(`three scans, each up to ${longest(aim.value, wish)} s`)
  const first = await look()
  if (first !== undefined) return first
  const isForUs = plan.request.source === 'packet-source' || [...seats.values()].includes('granted')
  const knock = await knockFor(planned.value, isForUs)
  if (!knock.ok) return failed(knock.failure, given, terminal)
  if (!knock.value.proven)
    warnings.push(
      'nothing shows from here that the knock opened anything: the door is for another address, or no TCP port',
    )
  const second = await look()
  if (second !== undefined) return second
  const passed = (performance.now() - knock.value.at) / 1000
  if (lifetime > 0 && passed > lifetime)
    warnings.push(
      `the scan during the knock ended ${Math.round(passed)} s after it, and the port may be open for ${lifetime} s only: ask fewer ports (-p), or set FW_TIMEOUT in the stanza`,
    )
  const wait = (after ?? lifetime + 2) - passed
  if (wait > 0) {
    say(`waiting ${Math.ceil(wait)} s, until the port is shut again`)
    await new Promise((resolve) => setTimeout(resolve, milliseconds(wait * 1000)))
  }
  const third = await look()
  if (third !== undefined) return third
  const [one, two, three] = scans
  if (one === undefined || two === undefined || three === undefined) return refuse('SCAN_FAILED', 'a scan is missing')

  const isDoor = (address: IpAddress, protocol: string | undefined, port: number | undefined): boolean =>
    seats.get(address) === 'granted' && protocol === 'tcp' && port !== undefined && knocked.includes(port)
  const whole = compareScans(one.run, two.run)
  const doors = whole.differences.filter(({ address, protocol, ports }) => isDoor(address, protocol, ports?.[0]))
  const during: Comparison = { ...whole, differences: whole.differences.filter((each) => !doors.includes(each)) }
  const later = compareScans(one.run, three.run)
  const judged = scans.map(
    ({ run }, n) => expected && withSkipped(judgeExpected(run, expected, n === 1 ? isDoor : undefined), skipped),
  )
  const notes = vantageNotes(seats, during.differences)
  warnings.push(...silentWarnings(two.run), ...notes)
  const differs = during.differences.length + later.differences.length > 0
  const statuses = [differs ? 1 : 0, ...judged.map((each) => (each === undefined ? 0 : statusOf(each)))]
  const status = statuses.includes(1) ? 1 : Math.max(...statuses)
  if (given.json > 0) {
    const named = <T>(value: (n: number) => T) => Object.fromEntries(TIMES.map((when, n) => [when, value(n)]))
    terminal.printJson({
      scans: named((n) => runJson(scans[n]?.run ?? one.run, addresses)),
      vantage: [...seats].map(([address, vantage]) => ({ address, from: addresses.get(address), vantage })),
      proven: knock.value.proven,
      ...{ doors: comparisonJson({ differences: doors, askedOnce: [] }).differences },
      ...{ during: comparisonJson(during), after: comparisonJson(later) },
      ...(expected && { expectations: named((n) => judged[n]) }),
      ...{ warnings, status },
    })
    return status
  }
  noteWarnings(warnings, terminal)
  terminal.print(runLines(one.run, addresses, terminal.style))
  if (doors.length > 0) terminal.print([line`the door, which is open for this address:`, ...doors.map(differenceLine)])
  terminal.print(comparisonLines(during, ['before the knock', 'during it'], terminal.style))
  terminal.print(comparisonLines(later, ['before the knock', 'after it'], terminal.style))
  for (const [n, each] of judged.entries())
    if (each !== undefined)
      terminal.print([`${TIMES[n]} the knock:`, ...expectationLines(each, given.expect ?? '', terminal.style)])
  return status
}

/** `scan.xml` → `scan-before.xml`. */
function fileOf(file: string, when: string): string {
  const end = extname(file)
  return `${file.slice(0, file.length - end.length)}-${when}${end}`
}

function vantageNotes(seats: ReadonlyMap<IpAddress, Vantage>, differences: readonly Difference[]): readonly string[] {
  return [...seats].flatMap(([address, vantage]) => {
    switch (vantage) {
      case 'stranger':
        return []
      case 'granted':
        return [
          `${address} was asked from the address that the door is open for, so this is not what a stranger sees during the knock. Scan from another address (--from), or run --save on another host at the same time`,
        ]
      case 'unsure':
        return differences.some((each) => each.address === address)
          ? [
              `${address} may see the scan come from the address that the door is open for: a router can give both addresses one face. Then the difference is the door. Scan from another network`,
            ]
          : []
      default:
        return vantage satisfies never
    }
  })
}
