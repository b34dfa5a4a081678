/** The options that say what the policy of the host is, and the policy that they and the server’s settings make. */
import { loadServerConfig } from '../../config/load.ts'
import { nearest } from '../../config/reading/nearest.ts'
import { DEFAULT_MARK, DEFAULT_TABLE, type TableName } from '../../config/server/firewall-settings.ts'
import { type ServerConfig, socketPorts } from '../../config/server/server-config.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { POLICY_TABLE } from '../../firewall/host/cures.ts'
import {
  distinctPorts,
  FORWARDINGS,
  type HostPolicy,
  parseAllowedSource,
  parseInterface,
  parsePorts,
  REVERSE_PATHS,
} from '../../host/policy/policy.ts'
import { lookWhatFits } from '../../host/policy/surroundings.ts'
import { systemLooker } from '../../host/system-looker.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import { DEFAULT_CONFIG, fromHere } from '../server/config-source.ts'
import type { OptionValues } from '../terminal/parse-command-line.ts'

export const policyOptions = {
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  allow: {
    value: 'PORTS',
    repeatable: true,
    help: 'let everybody in here, without a knock: tcp/80, or tcp/80,tcp/443',
  },
  'allow-from': {
    value: 'SOURCE',
    repeatable: true,
    help: 'let this source in without a knock: 192.0.2.7, 2001:db8::/32, or with ports: 192.0.2.7,tcp/22',
  },
  trust: { value: 'INTERFACE', repeatable: true, help: 'let in all that comes by this interface, such as wg0' },
  'no-ping': { help: 'drop echo requests too (they are answered, at most 10 a second)' },
  'reverse-path': {
    value: 'MODE',
    help: 'which sources count as forged: strict (no route back by the same interface), loose (no route back), off. Default: strict; loose where several interfaces have a default route',
  },
  forward: {
    value: 'MODE',
    help: 'what this host only passes on: drop, or leave (say nothing of it). Default: drop; leave where this host passes packets on',
  },
  out: {
    value: 'PORTS',
    repeatable: true,
    help: 'where new connections of this host may go: tcp/443,udp/53. Default: anywhere',
  },
} as const

type Given = OptionValues<typeof policyOptions>

/** The policy, and what the administrator should know of how it was chosen. */
export interface ChosenPolicy {
  readonly policy: HostPolicy
  /** Ghostport’s own, where it has one. */
  readonly table?: TableName
  readonly notes: readonly string[]
}

export function choosePolicy(given: Given): Result<ChosenPolicy> {
  const wished = parseWishes(given)
  if (!wished.ok) return wished
  const server = serverSettings(given['config-file'])
  if (!server.ok) return server
  const { conflict } = server.value
  if (conflict !== undefined) return { ok: false, failure: conflict }
  const fits = lookWhatFits(systemLooker())
  const { reversePath = fits.reversePath, forward = fits.forward, allow, ...more } = wished.value
  const listened = server.value.listened.filter(
    (each) => !allow.some((other) => other.protocol === each.protocol && other.port === each.port),
  )
  const { table } = server.value
  return ok({
    ...(table !== undefined && { table }),
    policy: { mark: server.value.mark, ...more, allow: distinctPorts([...allow, ...listened]), reversePath, forward },
    notes: [
      ...server.value.notes,
      ...(listened.length === 0
        ? []
        : [`${formatProtocolPorts(listened)} is let in: ghostport itself listens there, as its settings say`]),
      ...(wished.value.forward === undefined && fits.forwardNote !== undefined ? [fits.forwardNote] : []),
      ...(wished.value.reversePath === undefined && fits.reversePathNote !== undefined ? [fits.reversePathNote] : []),
    ],
  })
}

interface Wishes extends Omit<HostPolicy, 'mark' | 'reversePath' | 'forward'> {
  readonly reversePath?: HostPolicy['reversePath']
  readonly forward?: HostPolicy['forward']
}

/** The options alone. */
export function parseWishes(given: Omit<Given, 'config-file'>): Result<Wishes, Failure<'VALUE_INVALID'>> {
  const allow = each(given.allow, (text) => parsePorts('--allow', text))
  if (!allow.ok) return allow
  const out = each(given.out, (text) => parsePorts('--out', text))
  if (!out.ok) return out
  const allowFrom = each(given['allow-from'], (text) => parseAllowedSource('--allow-from', text))
  if (!allowFrom.ok) return allowFrom
  const trusted = each(given.trust, (text) => parseInterface('--trust', text))
  if (!trusted.ok) return trusted
  const reversePath = word('--reverse-path', REVERSE_PATHS, given['reverse-path'])
  if (!reversePath.ok) return reversePath
  const forward = word('--forward', FORWARDINGS, given.forward)
  if (!forward.ok) return forward
  return ok({
    allow: distinctPorts(allow.value.flat()),
    allowFrom: allowFrom.value,
    trusted: [...new Set(trusted.value)],
    ping: given['no-ping'] === 0,
    ...(reversePath.value !== undefined && { reversePath: reversePath.value }),
    ...(forward.value !== undefined && { forward: forward.value }),
    ...(out.value.length > 0 && { out: distinctPorts(out.value.flat()) }),
  })
}

function each<T>(
  texts: readonly string[],
  parse: (text: string) => Result<T, Failure<'VALUE_INVALID'>>,
): Result<readonly T[], Failure<'VALUE_INVALID'>> {
  const values: T[] = []
  for (const text of texts) {
    const value = parse(text)
    if (!value.ok) return value
    values.push(value.value)
  }
  return ok(values)
}

function word<const Word extends string>(
  option: string,
  words: readonly Word[],
  text: string | undefined,
): Result<Word | undefined, Failure<'VALUE_INVALID'>> {
  const found = words.find((each) => each === text)
  if (text === undefined || found !== undefined) return ok(found)
  const meant = nearest(text, words)
  const more = meant === undefined ? {} : { suggestion: `${option} ${meant}` }
  return refuse('VALUE_INVALID', `${option}: “${text}” is not one of ${words.join(', ')}`, more)
}

/** What the server’s settings say that matters here. */
export interface FromServer {
  /** Of nftables. */
  readonly table?: TableName
  /** In gate mode. */
  readonly protectedPorts: readonly ProtocolPort[]
  readonly mark: HostPolicy['mark']
  /** Why no policy of ours goes with it. */
  readonly conflict?: Failure<'CONFIG_CONFLICT'>
  /** Where sockets of ours wait for strangers. */
  readonly listened: readonly ProtocolPort[]
  readonly notes: readonly string[]
}

/** Without the file, and where it was not asked for: the defaults. */
export function serverSettings(asked: string | undefined): Result<FromServer> {
  const path = fromHere(asked ?? DEFAULT_CONFIG)
  if (!path.ok) return path
  const parsed = loadServerConfig(diskFiles(process.getuid?.() ?? 0), { server: path.value })
  if (!parsed.ok) {
    const absent = parsed.failure.code === 'CONFIG_UNREADABLE' && asked === undefined
    if (!absent) return parsed
    const bits = `0x${DEFAULT_MARK.toString(16)}`
    const note = `${path.value} cannot be read (${parsed.failure.detail}): the policy lets in the usual mark, ${bits}`
    return ok({ mark: DEFAULT_MARK, table: DEFAULT_TABLE, protectedPorts: [], listened: [], notes: [note] })
  }
  const { config, at } = parsed.value
  return ok(fromServer(config, at))
}

/** The name of ghostport’s own table, as far as the usual settings can be read. */
export function ownTable(): TableName {
  const server = serverSettings(undefined)
  return (server.ok ? server.value.table : undefined) ?? DEFAULT_TABLE
}

function fromServer(
  { firewall, captures }: ServerConfig,
  at: { readonly [name: string]: SourceLocation | undefined },
): FromServer {
  const located = (name: string) => (at[name] === undefined ? {} : { at: at[name] })
  const conflict =
    firewall.kind === 'iptables'
      ? refuse(
          'CONFIG_CONFLICT',
          'FIREWALL iptables opens ports by rules of iptables, and this policy drops them all the same: use FIREWALL nftables, or keep a policy made with iptables (docs/IPTABLES.md)',
          located('FIREWALL'),
        ).failure
      : firewall.kind === 'nftables' && firewall.table === POLICY_TABLE
        ? refuse(
            'CONFIG_CONFLICT',
            `NFT_TABLE ${firewall.table}: the policy has that table. Give ghostport’s own table another name`,
            located('NFT_TABLE'),
          ).failure
        : undefined
  const relayed =
    firewall.kind === 'relay' ? firewall.listeners.map(({ port }) => ({ protocol: 'tcp' as const, port })) : []
  return {
    mark: firewall.kind === 'nftables' ? firewall.mark : DEFAULT_MARK,
    ...(firewall.kind === 'nftables' && { table: firewall.table }),
    protectedPorts: firewall.kind === 'nftables' && firewall.mode.kind === 'gate' ? firewall.mode.protectedPorts : [],
    listened: [...socketPorts(captures), ...relayed],
    notes: [],
    ...(conflict !== undefined && { conflict }),
  }
}
