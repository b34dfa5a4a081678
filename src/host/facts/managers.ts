/**
 * Who manages the firewall of this host. To look must change nothing: `iptables-legacy -S` would create its table, so
 * `/proc/net/ip_tables_names` is read first, then the link of the program, then nft's own listing.
 */
import { parseIptablesSave } from '../../firewall/host/iptables-save.ts'
import { type HostTable, parseListing } from '../../firewall/host/ruleset.ts'
import { type Known, known, notKnown } from '../known.ts'
import type { Looker, UnitName } from '../looker.ts'
import { lookAtUnits, type Units } from './systemd.ts'

export type ManagerName = 'ufw' | 'firewalld' | 'docker' | 'fail2ban' | 'nft' | 'iptables-nft' | 'iptables-legacy'

export interface Manager {
  readonly name: ManagerName
  /** What shows it, printable: `chain DOCKER in ip filter`. At least one. */
  readonly evidence: readonly string[]
}

export interface FirewallManagers {
  /** Empty: nobody. */
  readonly managers: readonly Manager[]
  /** Tables of iptables-legacy that the kernel has: `ip filter`. They may be without any rule. */
  readonly legacyTables: readonly string[]
  /** Which kind the program `iptables` is. */
  readonly iptables: Known<'nft' | 'legacy' | 'not installed'>
  /** Whether ufw is switched on in its own file. Undefined if it is not installed. */
  readonly ufwEnabled?: boolean
  /** Whether nftables.service empties all tables when it starts, since its file says `flush ruleset`. */
  readonly nftablesFlushes: Known<boolean>
}

/** What the judgement needs. */
export interface ManagerSigns {
  /** The tables of nftables. */
  readonly tables: readonly HostTable[]
  /** The filter tables of iptables-legacy. */
  readonly legacy: readonly HostTable[]
  readonly units: Known<Units>
}

export async function lookAtManagers(looker: Looker): Promise<Known<FirewallManagers>> {
  const names = [legacyNames(looker, 'ip'), legacyNames(looker, 'ip6')] as const
  const [four, six] = names
  if (!four.known) return four
  if (!six.known) return six
  const legacyTables = [...four.value.map((name) => `ip ${name}`), ...six.value.map((name) => `ip6 ${name}`)]
  const legacy: HostTable[] = []
  for (const [family, question] of [
    ['ip', 'legacy rules of IPv4'],
    ['ip6', 'legacy rules of IPv6'],
  ] as const) {
    if (!legacyTables.includes(`${family} filter`)) continue
    const said = await looker.ask(question)
    if (!said.known) return said
    if (said.value.status !== 0) return notKnown(`the rules of iptables-legacy cannot be read: ${said.value.complaint}`)
    legacy.push(...parseIptablesSave(said.value.output, family))
  }
  const said = await looker.ask('rules of nft')
  if (!said.known) return said
  if (said.value.status !== 0) return notKnown(`the rules of nftables cannot be read: ${said.value.complaint}`)
  const tables = parseListing(said.value.output)
  const ufw = looker.read('/etc/ufw/ufw.conf')
  const ufwEnabled = ufw.known && ufw.value !== undefined ? isUfwEnabled(ufw.value) : undefined
  const flushing = looker.read('/etc/nftables.conf')
  return known({
    managers: judgeManagers({ tables, legacy, units: await lookAtUnits(looker) }),
    legacyTables,
    iptables: iptablesKind(looker.realPath('/usr/sbin/iptables'), looker.realPath('/sbin/iptables')),
    ...(ufwEnabled !== undefined && { ufwEnabled }),
    nftablesFlushes: flushing.known ? known(flushes(flushing.value ?? '')) : flushing,
  })
}

/** The file is there only if the kernel has such tables; only root may read it. */
function legacyNames(looker: Looker, family: 'ip' | 'ip6'): Known<readonly string[]> {
  const text = looker.read(`/proc/self/net/${family}_tables_names`)
  return text.known ? known((text.value ?? '').split('\n').filter(Boolean)) : text
}

/** `/usr/sbin/xtables-nft-multi`, `/usr/sbin/iptables-legacy`, … */
export function iptablesKind(...paths: readonly Known<string | undefined>[]): FirewallManagers['iptables'] {
  for (const path of paths) {
    if (!path.known) return path
    if (path.value === undefined) continue
    if (path.value.includes('legacy')) return known('legacy')
    if (path.value.includes('nft')) return known('nft')
    return notKnown(`${path.value} does not say of which kind it is`)
  }
  return known('not installed')
}

/** @param text of ufw.conf. */
export function isUfwEnabled(text: string): boolean {
  return /^\s*ENABLED\s*=\s*["']?yes["']?\s*$/im.test(text)
}

/** @param text of nftables.conf. */
export function flushes(text: string): boolean {
  return /^\s*flush\s+ruleset\b/m.test(text)
}

/** The chain that shows who made it. */
const MADE_BY: readonly (readonly [manager: ManagerName, chain: RegExp])[] = [
  ['ufw', /^ufw6?-before-input$/],
  ['docker', /^DOCKER(-USER|-FORWARD|-ISOLATION-STAGE-1)?$/],
  ['fail2ban', /^f2b-/],
]
/** Tables of programs that have tables of their own. */
const TABLES_OF: readonly (readonly [manager: ManagerName, table: RegExp])[] = [
  ['firewalld', /^firewalld/],
  ['docker', /^docker-bridges$/],
  ['fail2ban', /^f2b-/],
]
/** A rule that only leads to the chains of such programs. */
const LEADS_TO_OTHERS = /\b(jump|goto|-j|-g) (ufw6?-|DOCKER|f2b-)/
const UNITS_OF: readonly (readonly [manager: ManagerName, unit: UnitName])[] = [
  ['firewalld', 'firewalld.service'],
  ['docker', 'docker.service'],
  ['fail2ban', 'fail2ban.service'],
]
const IPTABLES_TABLES = new Set(['filter', 'nat', 'mangle', 'raw', 'security'])
/** Chains that only ghostport's own table has, all of them. */
const OUR_CHAINS = ['onwards', 'gate', 'nat_pre', 'delivered']

/** Who manages rules here, those with programs of their own first. */
export function judgeManagers({ tables, legacy, units }: ManagerSigns): readonly Manager[] {
  const found = new Map<ManagerName, string[]>()
  const add = (name: ManagerName, evidence: string): void => {
    const before = found.get(name) ?? []
    if (!before.includes(evidence)) found.set(name, [...before, evidence])
  }
  if (units.known)
    for (const [manager, unit] of UNITS_OF)
      if (units.value.get(unit)?.active === 'active') add(manager, `${unit} is active`)
  for (const table of [...tables, ...legacy]) {
    const shown = table.by === 'nft' ? `${table.family} ${table.name}` : `${table.by} ${table.family} ${table.name}`
    for (const [manager, name] of TABLES_OF) if (name.test(table.name)) add(manager, `table ${shown}`)
    for (const chain of table.chains.keys())
      for (const [manager, name] of MADE_BY) if (name.test(chain)) add(manager, `chain ${chain} in ${shown}`)
    const manager = writerOf(table)
    if (manager === undefined) continue
    for (const chain of table.chains.values()) {
      if (chain.base === undefined || chain.base.type !== 'filter') continue
      const own = chain.rules.some((rule) => !LEADS_TO_OTHERS.test(rule.shown))
      // Docker and ufw change the policy of FORWARD.
      const strict = chain.base.policy === 'drop' && chain.base.hook !== 'forward' && !hasChainsOf(table, 'ufw')
      if (own ? !isOfOthers(table, chain.base.hook) : strict) add(manager, `chain ${chain.name} in ${shown}`)
    }
  }
  return [...found].map(([name, evidence]) => ({ name, evidence })).sort((a, b) => orderOf(a.name) - orderOf(b.name))
}

/** Docker writes rules of its own into FORWARD. */
function isOfOthers(table: HostTable, hook: string): boolean {
  return hook === 'forward' && hasChainsOf(table, 'docker')
}

function hasChainsOf(table: HostTable, manager: ManagerName): boolean {
  return MADE_BY.some(([name, chain]) => name === manager && [...table.chains.keys()].some((each) => chain.test(each)))
}

/** With what the rules of a table are written by hand; undefined for a table that a program has for itself. */
function writerOf(table: HostTable): ManagerName | undefined {
  if (table.by === 'iptables-legacy') return 'iptables-legacy'
  if (TABLES_OF.some(([, name]) => name.test(table.name))) return undefined
  if (table.name.startsWith('ghostport') || OUR_CHAINS.every((chain) => table.chains.has(chain))) return undefined
  const isIptables =
    (table.family === 'ip' || table.family === 'ip6') &&
    IPTABLES_TABLES.has(table.name) &&
    [...table.chains.values()].some(({ name, base }) => base !== undefined && /^[A-Z]+$/.test(name))
  return isIptables ? 'iptables-nft' : 'nft'
}

const ORDER: readonly ManagerName[] = [
  'ufw',
  'firewalld',
  'nft',
  'iptables-nft',
  'iptables-legacy',
  'docker',
  'fail2ban',
]
function orderOf(name: ManagerName): number {
  return ORDER.indexOf(name)
}
