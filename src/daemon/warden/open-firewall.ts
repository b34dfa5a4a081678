/** Makes the configured firewall ready, with its live grants, and guards its table with a lock. */
import { readlinkSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Opening } from '../../access/grant.ts'
import type { Policy } from '../../access/policy.ts'
import type { Stanza } from '../../access/stanza.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { SettingLocations } from '../../config/server/defaults-and-conflicts.ts'
import {
  DEFAULT_TABLE,
  type FirewallConfig,
  type IptablesConfig,
  type KernelFirewallConfig,
  type NftablesConfig,
  type RelayConfig,
} from '../../config/server/firewall-settings.ts'
import { type ServerConfig, socketPorts } from '../../config/server/server-config.ts'
import type {
  ConnectionLimits,
  Firewall,
  FirewallListeners,
  Kept,
  KernelFirewall,
  Mended,
  RulesToList,
} from '../../firewall/firewall.ts'
import type { LeftPort } from '../../firewall/host/after-removal.ts'
import type { Finding, PortsInUse } from '../../firewall/host/findings.ts'
import { descriptorLimit } from '../../firewall/relay/descriptors.ts'
import { defaultLimits, descriptorsFor, FEWEST_CONNECTIONS, limitsFor } from '../../firewall/relay/limits.ts'
import { failureFields, type Log } from '../../log.ts'
import { isLoopback } from '../../packet/address-kinds.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { judgeFile, ourUsers } from '../../system/file-trust.ts'
import { acquireInstanceLock, type InstanceLock } from '../../system/instance-lock.ts'
import { decoyPorts, distinctPorts, grantedPorts } from './admission/granted-ports.ts'
import { grantFields } from './journal.ts'

export interface OpenedFirewall {
  readonly firewall: Firewall
  /** Absent if the listening ports are lock enough. */
  readonly lock?: InstanceLock
}

/**
 * Reads back what is live. From then on, it repairs what other programs change.
 * @param host gets to know of changes: see {@link FirewallListeners}.
 */
export async function openFirewall(
  { firewall: config, controlSocket }: ServerConfig,
  at: SettingLocations,
  log: Log,
  host: Required<Pick<FirewallListeners, 'onHostChange' | 'onUnrest'>>,
): Promise<Result<OpenedFirewall>> {
  const made = config.kind === 'relay' ? await makeRelay(config, log) : await lockedKernel(config, controlSocket, at)
  if (!made.ok) return made
  const { firewall, lock, notices = [] }: OpenedFirewall & { readonly notices?: readonly Notice[] } = made.value
  for (const { level, text, cure } of notices) log.write(level, 'notice', { text, cure })
  // First, so that no change is missed.
  const watching = firewall.watch({ onMended: (mended) => tellMended(mended, log), ...host })
  const installed = watching.ok ? await firewall.install() : watching
  if (!installed.ok) {
    await firewall.close()
    lock?.release()
    return installed
  }
  tellKept(firewall.kept(), log)
  return ok({ firewall, ...(lock && { lock }) })
}

/** How many earlier grants a start logs one by one, and a repair the rules that it removed. */
const MOST_TOLD = 20

/** A server that was killed may have opened grants that its log does not mention. */
function tellKept({ grants, lost }: Kept, log: Log): void {
  for (const { grant, remaining } of grants.slice(0, MOST_TOLD))
    log.write('info', 'grant found', { ...grantFields(grant), secondsLeft: Math.ceil(remaining / 1000) })
  if (grants.length > MOST_TOLD)
    log.write('info', 'grants found', { grants: grants.length, notListed: grants.length - MOST_TOLD })
  if (lost > 0)
    log.write('warning', 'grants lost', {
      grants: lost,
      detail: 'their records cannot be read, or MAX_GRANTS leaves no place for them: they have ended',
    })
}

/** The argument of {@link Firewall.hostFindings}. */
export function portsInUse(policy: Policy, { captures }: Pick<ServerConfig, 'captures'>): PortsInUse {
  return {
    knocks: socketPorts(captures),
    ports: grantedPorts(policy.stanzas),
    decoys: policy.nat.local ? decoyPorts(policy.stanzas) : [],
    forwarding: policy.nat.forward || policy.stanzas.some(leadsElsewhere),
  }
}

/** FORCE_NAT to an inner host needs no switch for forwarding. */
function leadsElsewhere({ forceNat }: Stanza): boolean {
  return forceNat !== undefined && !isLoopback(forceNat.address)
}

/**
 * Checks what {@link openFirewall} would find: the library, the kernel’s netfilter, and the host’s own rules. Installs
 * nothing. The ports of a relay are not bound, because a running server may have them.
 */
export async function lookAtFirewall({ server, policy, at }: LoadedConfig): Promise<Result<readonly Notice[]>> {
  if (server.firewall.kind === 'relay') {
    const limits = relayLimits(descriptorLimit())
    return limits.ok ? ok(limits.value.notices) : limits
  }
  const made = await makeKernel(server.firewall)
  if (!made.ok) return made
  const strangers = await lookForStrangers(made.value, server.firewall, at)
  const found = strangers.ok ? await made.value.hostFindings(portsInUse(policy, server)) : strangers
  await made.value.close()
  return strangers.ok && found.ok ? ok([...strangers.value, ...found.value.map(noticeOf)]) : found
}

function noticeOf({ level, code, text, cure }: Finding): Notice {
  return { level, text: `${text} [${code}]`, ...(cure !== undefined && { cure }), code }
}

/** What was removed, and how the host's own rules leave its ports. */
export interface Removed {
  /** `chains`: fwknop’s, in iptables. `absent`: there was no such table, and no such chains. */
  readonly kind: 'mark' | 'gate' | 'chains' | 'absent'
  readonly left: readonly LeftPort[]
  /** Other tables that look like ours. */
  readonly lookAlikes: readonly string[]
}

/**
 * Removes the table or the chains, with every grant. Refused while a ghostport runs, because it would restore them.
 * Refused too if what has that name is not ghostport’s.
 * @param config only the names of its table or chains count.
 * @param ports that the administrator needs, besides those that were protected or granted.
 */
export async function removeRules(
  config: KernelFirewallConfig,
  controlSocket: string,
  ports: readonly ProtocolPort[],
  at: SettingLocations,
): Promise<Result<Removed>> {
  const ours = await lockedKernel(config, controlSocket, at)
  if (!ours.ok) return ours
  const { firewall, lock } = ours.value
  const done = async <T>(result: T): Promise<T> => {
    await firewall.close()
    lock.release()
    return result
  }
  const found = await firewall.installed()
  if (!found.ok) return done(found)
  const { kind } = found.value
  const grants = await firewall.grants()
  const granted = grants.ok ? grants.value.flatMap(({ grant }) => grant.openings.flatMap(accessed)) : []
  const guarded = found.value.kind === 'gate' ? found.value.protectedPorts : []
  const removed = await firewall.uninstall()
  if (!removed.ok) return done(removed)
  // The table is already removed: a failure to judge the rest is not a failure.
  const wanted = kind === 'gate' ? guarded : distinctPorts([...ports, ...granted])
  const left = kind === 'absent' ? ok([]) : await firewall.afterRemoval(wanted)
  const others = await firewall.lookAlikes()
  return done(ok({ kind, left: left.ok ? left.value : [], lookAlikes: others.ok ? others.value : [] }))
}

/**
 * The rules of the host's firewall, as its own programs show them.
 * @returns an empty text if there are none of ours; with the relay always.
 */
export async function listRules(config: FirewallConfig, which: RulesToList): Promise<Result<string>> {
  if (config.kind === 'relay') return ok('')
  const firewall = await makeKernel(config)
  if (!firewall.ok) return firewall
  const listed = await firewall.value.listing(which)
  await firewall.value.close()
  return listed
}

function accessed(opening: Opening): readonly ProtocolPort[] {
  return opening.kind === 'access' ? [{ protocol: opening.protocol, port: opening.port }] : []
}

async function makeRelay(config: RelayConfig, log: Log): Promise<Result<OpenedFirewall>> {
  const { createRelayFirewall } = await import('../../firewall/relay/relay.ts')
  const limits = relayLimits(descriptorLimit())
  if (!limits.ok) return limits
  for (const { level, text } of limits.value.notices) log.write(level, 'notice', { text })
  return ok({
    firewall: createRelayFirewall({
      ...config,
      limits: limits.value.limits,
      onTrouble: ({ kind, detail, count }) => log.write('warning', 'relay', { trouble: kind, detail, count }),
    }),
  })
}

/** @param descriptors that this process may have open; undefined if unknown. */
function relayLimits(
  descriptors: number | undefined,
): Result<{ readonly limits: ConnectionLimits; readonly notices: readonly Notice[] }, Failure<'FIREWALL_UNAVAILABLE'>> {
  const limits = descriptors === undefined ? defaultLimits : limitsFor(descriptors)
  if (limits === undefined)
    return refuse(
      'FIREWALL_UNAVAILABLE',
      `the relay needs two descriptors for each connection, and this process may have only ${descriptors} open (ulimit -n)`,
      {
        suggestion: `a limit of at least ${descriptorsFor(FEWEST_CONNECTIONS)}: ulimit -n, or LimitNOFILE of the unit`,
      },
    )
  const { connections: all } = defaultLimits
  if (limits.connections === all) return ok({ limits, notices: [] })
  const text =
    `the relay has places for ${limits.connections} connections: this process may have ${descriptors} descriptors open. ` +
    `${descriptorsFor(all)} would give it ${all} (ulimit -n, or LimitNOFILE of the unit)`
  return ok({ limits, notices: [{ level: 'warning', text }] })
}

async function makeKernel(config: KernelFirewallConfig): Promise<Result<KernelFirewall>> {
  if (config.kind === 'iptables') {
    const [{ createIptablesFirewall }, { programsOf }] = await Promise.all([
      import('../../firewall/iptables/iptables.ts'),
      import('../../firewall/iptables/programs.ts'),
    ])
    // The warden runs them as root. Without a path they are among the system's own.
    for (const path of config.program.startsWith('/') ? programsOf(config.program) : []) {
      const exposed = judgeFile(path, { owners: ourUsers() })
      if (exposed !== undefined)
        return { ok: false, failure: { ...exposed, detail: `FIREWALL_EXE: ${exposed.detail}` } }
    }
    return ok(createIptablesFirewall(config))
  }
  const { createNftablesFirewall } = await import('../../firewall/nftables/nftables.ts')
  return createNftablesFirewall(config)
}

/** One table, and one set of chains, has one owner. Each network namespace has its own. */
async function lockedKernel(
  config: KernelFirewallConfig,
  controlSocket: string,
  at: SettingLocations,
): Promise<Result<{ firewall: KernelFirewall; lock: InstanceLock; notices: readonly Notice[] }>> {
  const firewall = await makeKernel(config)
  if (!firewall.ok) return firewall
  const lock = acquireInstanceLock(rulesLock(config, controlSocket))
  if (!lock.ok) return lock
  const strangers = await lookForStrangers(firewall.value, config, at)
  if (strangers.ok) return ok({ firewall: firewall.value, lock: lock.value, notices: strangers.value })
  await firewall.value.close()
  lock.value.release()
  return strangers
}

/**
 * What others have where our table or chains are. Installing a table replaces the one of its name: with NFT_TABLE
 * filter, that would be the host’s own firewall. A chain can be shared.
 * @returns notices; or `CONFIG_CONFLICT` for a table of others.
 */
async function lookForStrangers(
  firewall: KernelFirewall,
  config: KernelFirewallConfig,
  at: SettingLocations,
): Promise<Result<readonly Notice[]>> {
  const foreign = await firewall.foreignChain()
  if (!foreign.ok) return foreign
  if (foreign.value === undefined) return ok([])
  return config.kind === 'iptables'
    ? ok([foreignRules(foreign.value, config)])
    : foreignTable(foreign.value, config, at)
}

function foreignRules(chain: string, { flushAtStart }: IptablesConfig): Notice {
  const what = `the chain “${chain}” of this host has rules that neither ghostport nor fwknop wrote`
  return flushAtStart
    ? { level: 'warning', text: `${what}: FLUSH_IPT_AT_INIT Y, so they are removed` }
    : {
        level: 'warning',
        text: `${what}: they stay, and they count for everybody`,
        cure: `see them: iptables-save | grep ${chain}`,
      }
}

function foreignTable(
  chain: string,
  { table }: NftablesConfig,
  { NFT_TABLE: location }: SettingLocations,
): Result<never> {
  return refuse(
    'CONFIG_CONFLICT',
    `NFT_TABLE: the table “inet ${table}” of this host is not ghostport’s: it has a chain “${chain}”. ` +
      'ghostport needs a table of its own',
    {
      suggestion: `NFT_TABLE ${table === DEFAULT_TABLE ? `${DEFAULT_TABLE}2` : DEFAULT_TABLE};`,
      ...(location && { at: location }),
    },
  )
}

function tellMended({ change: { what, how, by }, grants, took, outcome, strays = [] }: Mended, log: Log): void {
  const culprit = by === undefined ? {} : { program: by.program, pid: by.pid }
  const fields = { change: `${what} ${how}`, ...culprit, grants, tookMs: Math.round(took) }
  if (outcome.ok) {
    log.write('warning', 'firewall mended', fields)
    for (const { chain, rule, until } of strays.slice(0, MOST_TOLD))
      log.write('info', 'rule removed', { chain, rule, until })
    if (strays.length > MOST_TOLD)
      log.write('info', 'rules removed', { rules: strays.length, notListed: strays.length - MOST_TOLD })
  } else log.write('error', 'firewall not mended', { ...fields, ...failureFields(outcome.failure) })
}

/**
 * Two configurations may name the same table or chains, so the place of the lock must not depend on a setting. A user
 * who is root only in a user namespace of their own also has network namespaces of their own, and no writable /run.
 */
function rulesLock(config: KernelFirewallConfig, controlSocket: string): string {
  const name = config.kind === 'iptables' ? `ipt-${config.chains.input.chain}` : `nft-${config.table}`
  const isRoot = process.getuid?.() === 0 && statSync('/run', { throwIfNoEntry: false })?.uid === 0
  return join(isRoot ? '/run/ghostport' : dirname(controlSocket), `${name}-${networkNamespace()}.lock`)
}

function networkNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/net').replace(/[^0-9]/g, '')
  } catch {
    return 'host'
  }
}
