/** Reads the host's own rules, from nftables and from iptables-legacy. Changes nothing and creates no table. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Result } from '../../result.ts'
import { PROGRAM_ENVIRONMENT } from '../../system/program-environment.ts'
import { milliseconds } from '../../units.ts'
import type { FirewallFailure } from '../firewall.ts'
import type { HostRuleset } from './findings.ts'
import { parseIptablesSave } from './iptables-save.ts'
import { type HostTable, type NamedSet, parseListing, parseSet } from './ruleset.ts'

/** How long a program of the host's may take, and bytes that it may print. */
const PROGRAM_TIME = milliseconds(2000)
const MOST_OUTPUT = 32 * 1024 * 1024

/** The needed part of nftables. */
export interface RuleReader {
  /** `nft list ruleset`, without the elements of sets. */
  listRules(): Result<string, FirewallFailure>
  /** A set with its elements. */
  listSet(family: string, table: string, set: string): Result<string, FirewallFailure>
}

/** @returns the failure of nftables; other parts that cannot be read are listed in `unread`. */
export async function readHost(nft: RuleReader): Promise<Result<HostRuleset, FirewallFailure>> {
  const listed = nft.listRules()
  if (!listed.ok) return listed
  const sets = new Map<string, string | undefined>()
  const namedSet: NamedSet = (family, table, name) => {
    const set = `${family} ${table} ${name}`
    if (!sets.has(set)) {
      const read = nft.listSet(family, table, name)
      sets.set(set, read.ok ? parseSet(read.value) : undefined)
    }
    return sets.get(set)
  }
  // Lets a waiting knock go first.
  await setImmediate()
  const legacy = await Promise.all([readLegacy('ip'), readLegacy('ip6')])
  const tables = [...parseListing(listed.value, namedSet), ...legacy.flatMap((one) => one.tables)]
  return { ok: true, value: { tables, unread: legacy.flatMap((one) => one.unread) } }
}

/** Whether any link except loopback has an IPv6 address. */
export function hasIpv6(): boolean {
  return readProc('/proc/net/if_inet6')
    .split('\n')
    .some((line) => line !== '' && !/ lo$/.test(line))
}

/** The program creates each table that it is asked for, so it is asked only for tables that the kernel has. */
async function readLegacy(family: 'ip' | 'ip6'): Promise<{ tables: readonly HostTable[]; unread: readonly string[] }> {
  const prefix = family === 'ip' ? 'ip' : 'ip6'
  const names = readProc(`/proc/net/${prefix}_tables_names`).split('\n').filter(Boolean)
  const program = `${prefix}tables-legacy-save`
  const read = await Promise.all(names.map((name) => run(program, ['-t', name])))
  const tables = read.flatMap((text) => (typeof text === 'string' ? parseIptablesSave(text, family) : []))
  const failed = read.find((text) => typeof text !== 'string')
  const unread =
    failed === undefined ? [] : [`the rules of ${prefix}tables-legacy were not judged: ${program} ${failed.reason}`]
  return { tables, unread }
}

function run(program: string, argv: readonly string[]): Promise<string | { readonly reason: string }> {
  const options = {
    timeout: PROGRAM_TIME,
    maxBuffer: MOST_OUTPUT,
    env: PROGRAM_ENVIRONMENT,
  }
  return new Promise((resolve) => {
    execFile(program, argv, options, (error, output) => {
      if (error === null) resolve(output)
      else resolve({ reason: error.code === 'ENOENT' ? 'is not installed' : 'failed' })
    })
  })
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
