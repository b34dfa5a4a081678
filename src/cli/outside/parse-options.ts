/** The options of `ghostport outside`, understood. Pure. */
import { type AddressFamily, familyOf, type IpAddress, parseAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Expected } from '../../scan/expect.ts'
import { inOrder, parsePortList, USUAL_PORTS } from '../../scan/ports.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { Given } from './options.ts'

/** How to scan. */
export interface ScanWish {
  /** TCP, in order. */
  readonly ports: readonly number[]
  readonly from: ReadonlyMap<AddressFamily, IpAddress>
  readonly family?: AddressFamily
  readonly timeout: Milliseconds
  readonly rate: number
  /** By nmap. */
  readonly nmap: boolean
}

type Bad = Failure<'CLI_USAGE' | 'VALUE_INVALID'>

/** @param needed ports that are asked in any case. */
export function parseWish(given: Given, needed: readonly number[]): Result<ScanWish, Bad> {
  const listed = given.ports === undefined ? ok(USUAL_PORTS) : parsePortList(given.ports)
  if (!listed.ok) return refuse('VALUE_INVALID', `--ports (-p): ${listed.failure.detail}`)
  const from = new Map<AddressFamily, IpAddress>()
  for (const text of given.from) {
    const address = parseAddress(text)
    if (!address.ok) return refuse('VALUE_INVALID', `--from: ${address.failure.detail}`)
    const family = familyOf(address.value)
    if (from.has(family)) return refuse('CLI_USAGE', `--from: there are two addresses of IPv${family}`)
    from.set(family, address.value)
  }
  if (given.nmap > 0 && given.timeout !== undefined)
    return refuse('CLI_USAGE', '--timeout has no effect with --nmap, which measures by itself how long to wait')
  const timeout = /^[0-9]{1,2}(\.[0-9]{1,3})?$/.test(given.timeout ?? '2') ? Number(given.timeout ?? 2) : 0
  if (timeout < 0.1 || timeout > 30)
    return refuse('VALUE_INVALID', `--timeout: “${given.timeout}” is not a number of seconds from 0.1 to 30`)
  const rate = /^[0-9]{1,4}$/.test(given.rate ?? '100') ? Number(given.rate ?? 100) : 0
  if (rate < 1 || rate > 1000) return refuse('VALUE_INVALID', `--rate: “${given.rate}” is not a number from 1 to 1000`)
  const only: readonly AddressFamily[] = [
    ...(given.ipv4 > 0 ? [4 as const] : []),
    ...(given.ipv6 > 0 ? [6 as const] : []),
  ]
  const [family, second] = only
  return ok({
    ports: inOrder([...listed.value, ...needed]),
    ...{ from, timeout: milliseconds(timeout * 1000), rate, nmap: given.nmap > 0 },
    ...(family !== undefined && second === undefined && { family }),
  })
}

/** @returns seconds, undefined where not said. */
export function parseAfter(given: Given): Result<number | undefined, Bad> {
  for (const name of ['after', 'rc-file'] as const)
    if (given[name] !== undefined && given.knock === undefined)
      return refuse('CLI_USAGE', `--${name} has no effect without --knock`)
  const { after } = given
  if (after === undefined) return ok(undefined)
  if (/^[0-9]{1,4}$/.test(after) && Number(after) <= 3600) return ok(Number(after))
  return refuse('VALUE_INVALID', `--after: “${after}” is not a number of seconds from 0 to 3600`)
}

/** @returns the TCP ports of an expectation; VALUE_INVALID for a port of UDP, which no connection can ask. */
export function portsOfExpected(expected: readonly Expected[]): Result<readonly number[], Bad> {
  const udp = expected.find(({ protocol }) => protocol === 'udp')
  if (udp !== undefined)
    return refuse(
      'VALUE_INVALID',
      `--expect: udp/${udp.port} cannot be asked by connecting. Scan with nmap -sU, and use --compare FILE --expect FILE`,
    )
  return ok(expected.map(({ port }) => port))
}
