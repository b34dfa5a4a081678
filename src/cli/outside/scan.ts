/** One scan of a target, and what is said before it. */
import { networkInterfaces } from 'node:os'
import { systemResolve } from '../../client/resolve.ts'
import { familyOf, type IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { connectScan, longestTime } from '../../scan/connect-scan.ts'
import type { ScanRun } from '../../scan/nmap-result.ts'
import { rangesOf, runOf } from '../../scan/own-scan.ts'
import { showRanges } from '../../scan/port-table.ts'
import { sourceTowards } from '../../scan/source-address.ts'
import { parseTarget, whyNotScanned } from '../../scan/target.ts'
import type { ScanWish } from './parse-options.ts'

/** What can be scanned from here. */
export interface Aim {
  /** As the user named it. */
  readonly target: string
  /** Each with the address of this host from which it is asked. At least one. */
  readonly addresses: ReadonlyMap<IpAddress, IpAddress>
  /** Sentences: addresses that cannot be asked from here. */
  readonly skipped: readonly string[]
}

export interface Scanned {
  readonly run: ScanRun
  readonly start: Date
  readonly end: Date
}

/** @returns VALUE_INVALID for what is no single host; SCAN_FAILED where none of its addresses can be asked. */
export async function aimAt(text: string, { family, from }: ScanWish): Promise<Result<Aim, Failure>> {
  const target = parseTarget(text)
  if (!target.ok) return target
  const found = await systemResolve(target.value, family)
  if (!found.ok) return found
  const own = new Set(Object.values(networkInterfaces()).flatMap((each = []) => each.map(({ address }) => address)))
  for (const address of from.values())
    if (!own.has(address)) return refuse('SCAN_FAILED', `--from: ${address} is no address of this host`)
  const addresses = new Map<IpAddress, IpAddress>()
  const skipped: string[] = []
  // A name server may give them in another order each time.
  const inOrder = [...found.value].sort((one, other) => familyOf(one) - familyOf(other) || one.localeCompare(other))
  for (const address of inOrder) {
    const why = whyNotScanned(address, own)
    // To go on without it would be to say less than it seems.
    if (why !== undefined) return refuse('SCAN_FAILED', why)
    const asked = await sourceTowards(address)
    if ('source' in asked) addresses.set(address, from.get(familyOf(address)) ?? asked.source)
    else skipped.push(`${address} was not scanned: ${asked.because}`)
  }
  const unused = [...from.values()].find((source) => ![...addresses.values()].includes(source))
  if (addresses.size === 0) return refuse('SCAN_FAILED', skipped.join('; '))
  if (unused !== undefined)
    return refuse('CLI_USAGE', `--from ${unused} has no effect: no address of IPv${familyOf(unused)} is scanned`)
  return ok({ target: target.value, addresses, skipped })
}

/** Seconds, at most, about. */
export function longest({ addresses }: Aim, wish: ScanWish): number {
  return Math.ceil(longestTime({ ...wish, addresses: [...addresses.keys()], from: () => undefined }) / 1000)
}

/** @returns SCAN_FAILED where this host could not ask. */
export async function scan(aim: Aim, wish: ScanWish): Promise<Result<Scanned, Failure>> {
  const { ports, timeout, rate, from } = wish
  const start = new Date()
  const addresses = [...aim.addresses.keys()]
  if (wish.nmap) {
    const { nmapScan } = await import('../../scan/nmap-scan.ts')
    const run = await nmapScan({ addresses, ports, from, rate })
    return run.ok ? ok({ run: run.value, start, end: new Date() }) : run
  }
  const seen = await connectScan({
    ...{ addresses, ports, timeout, rate },
    from: (address) => from.get(familyOf(address)),
  })
  if (typeof seen === 'string') return refuse('SCAN_FAILED', `this host cannot connect: ${seen}`)
  const run = runOf(seen, ports, commandLine(aim, wish))
  return ok({ run, start, end: new Date() })
}

/** With all that can change the result. */
function commandLine({ target }: Aim, { ports, timeout, rate, from, family }: ScanWish): string {
  const words = ['-p', showRanges(rangesOf(ports)), '--timeout', String(timeout / 1000), '--rate', String(rate)]
  const sources = [...from.values()].flatMap((address) => ['--from', address])
  return ['ghostport outside', ...words, ...sources, ...(family === undefined ? [] : [`-${family}`]), target].join(' ')
}
