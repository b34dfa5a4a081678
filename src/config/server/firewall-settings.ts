/**
 * The firewall that fwknopd.conf asks for: its types, how each of its variables is read, and what each is where the
 * file says nothing. Here alone: what opens doors takes these types, and reads no text.
 */
import type { IpAddress } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { ok, type Result } from '../../result.ts'
import type { Brand, Port } from '../../units.ts'
import { nearest } from '../reading/nearest.ts'
import {
  absolutePath,
  addressPortValue,
  invalidValue,
  type NonEmpty,
  portValue,
  type ValueFailure,
} from '../reading/setting-values.ts'

/** A name that nftables takes for a table, and that cannot be anything else. Made by {@link tableNameValue}. */
export type TableName = Brand<string, 'TableName'>
/** One bit of a connection mark, 1 to 0x80000000. Made by {@link connectionMarkValue}. */
export type ConnectionMark = Brand<number, 'ConnectionMark'>

/** NFT_TABLE */
export const DEFAULT_TABLE = 'ghostport' as TableName
/** NFT_TABLE_OWNER */
export const DEFAULT_TABLE_OWNER = 'auto' satisfies TableOwner
/** CONNTRACK_MARK */
export const DEFAULT_MARK = 0x20_0000 as ConnectionMark
/** MAX_GRANTS */
export const DEFAULT_MAX_GRANTS = 65_535

/** MAX_GRANTS with FIREWALL iptables: each packet is compared with the rule of every grant, one by one. */
export const DEFAULT_MAX_RULES = 1_000
/** FIREWALL_EXE: found where programs of the system are. */
export const DEFAULT_FIREWALL_PROGRAM = 'iptables'

export type FirewallConfig = NftablesConfig | IptablesConfig | RelayConfig
/** Their rules outlive the process. */
export type KernelFirewallConfig = NftablesConfig | IptablesConfig

export interface NftablesConfig extends TableShape {
  readonly kind: 'nftables'
  readonly owner: TableOwner
}

/** NFT_TABLE_OWNER: whether the kernel keeps all others from changing our table. `auto`: where that is possible. */
export type TableOwner = 'auto' | 'Y' | 'N'

/** What our table in family `inet` looks like. */
export interface TableShape {
  /** NFT_TABLE: its name. */
  readonly table: TableName
  /** FIREWALL_MODE, and with `gate` PROTECTED_PORTS. */
  readonly mode: CoexistenceMode
  /** CONNTRACK_MARK: marks what is granted, in both modes. */
  readonly mark: ConnectionMark
  /** MAX_GRANTS: places in each address family; each port of each grant takes one. It is the size of each set. */
  readonly maxGrants: number
  /** Ports where a socket of ours waits for knocks: they are led nowhere else. */
  readonly knocks?: readonly ProtocolPort[]
}

/** How we live with the host's own rules (docs/OPERATING.md). */
export type CoexistenceMode =
  /** The host drops by default and has one rule that accepts what carries our mark. Fails closed. */
  | { readonly kind: 'mark' }
  /** The host lets the protected ports in; we drop what has no grant. Fails open where our table is removed. */
  | { readonly kind: 'gate'; readonly protectedPorts: NonEmpty<ProtocolPort> }

/** fwknop's chains in the host's own iptables. */
export interface IptablesConfig extends ChainsShape {
  readonly kind: 'iptables'
}

export interface ChainsShape {
  /** FIREWALL_EXE: `iptables`, `iptables-nft` or `iptables-legacy`, with or without a folder before it. */
  readonly program: string
  /** IPT_INPUT_ACCESS and its five sisters. */
  readonly chains: Readonly<Record<ChainRole, ChainPlace>>
  /** ENABLE_IPT_OUTPUT: each grant has a rule for the answers of this host as well. */
  readonly output: boolean
  /** ENABLE_RULE_PREPEND: new rules go before the others of their chain. */
  readonly prepend: boolean
  /** ENABLE_IPT_COMMENT_CHECK: a start tries out all that rules of ours need, before any grant does. */
  readonly check: boolean
  /** FLUSH_IPT_AT_INIT: a start ends the grants of an earlier one. */
  readonly flushAtStart: boolean
  /** FLUSH_IPT_AT_EXIT: a stop ends all grants, and removes the chains. */
  readonly flushAtEnd: boolean
  /** MAX_GRANTS: places in each address family; each port of each grant takes one. */
  readonly maxGrants: number
  /** Ports where a socket of ours waits for knocks: they are led nowhere else. */
  readonly knocks?: readonly ProtocolPort[]
}

/** What a chain of ours is for. */
export type ChainRole = 'input' | 'output' | 'forward' | 'dnat' | 'snat' | 'masquerade'

/** A chain of ours, and where the host's rules jump to it. */
export interface ChainPlace {
  readonly table: string
  /** The host's chain. */
  readonly from: string
  /** Where the jump is put in `from`, counted from 1. */
  readonly position: number
  /** Ours. */
  readonly chain: string
}

/** IPT_INPUT_ACCESS and its sisters where the file says nothing: those of fwknop. */
export const defaultChains: Readonly<Record<ChainRole, ChainPlace>> = {
  input: place('filter', 'INPUT', 'FWKNOP_INPUT'),
  output: place('filter', 'OUTPUT', 'FWKNOP_OUTPUT'),
  forward: place('filter', 'FORWARD', 'FWKNOP_FORWARD'),
  dnat: place('nat', 'PREROUTING', 'FWKNOP_PREROUTING'),
  snat: place('nat', 'POSTROUTING', 'FWKNOP_POSTROUTING'),
  masquerade: place('nat', 'POSTROUTING', 'FWKNOP_MASQUERADE'),
}

function place(table: string, from: string, chain: string): ChainPlace {
  return { table, from, position: 1, chain }
}

export interface RelayConfig {
  readonly kind: 'relay'
  /** RELAY, one for each line. */
  readonly listeners: NonEmpty<RelayListener>
  /** MAX_GRANTS: openings at once, in each address family. */
  readonly maxGrants: number
}

export interface RelayListener {
  /** Absent: every address of the host. */
  readonly address?: IpAddress
  readonly port: Port
  /** Where connections without a grant go: to another service, or to a closed door. */
  readonly decoy: 'reset' | { readonly host: IpAddress; readonly port: Port }
  /** Where connections go that were granted the port itself. Absent: only ghosts and forwards may be granted here. */
  readonly service?: { readonly host: IpAddress; readonly port: Port }
}

/** `nftables mark`, `nftables gate`, `iptables` or `relay`, for logs and status. */
export function describeFirewall(firewall: FirewallConfig): string {
  return firewall.kind === 'nftables' ? `nftables ${firewall.mode.kind}` : firewall.kind
}

/** The targets that fwknop's chains can have; the kernel has no others for these tables. */
const chainTargets: Readonly<Record<ChainRole, string>> = {
  input: 'ACCEPT',
  output: 'ACCEPT',
  forward: 'ACCEPT',
  dnat: 'DNAT',
  snat: 'SNAT',
  masquerade: 'MASQUERADE',
}
const BUILT_IN = /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/
/** XT_EXTENSION_MAXNAMELEN, less the NUL at the end. */
const LONGEST_CHAIN = 28

/**
 * IPT_INPUT_ACCESS and its sisters: `ACCEPT, filter, INPUT, 1, FWKNOP_INPUT, 1`. Neither fwknop nor ghostport uses the
 * last field: ENABLE_RULE_PREPEND says where rules go.
 */
export function chainPlaceValue(role: ChainRole): (text: string) => Result<ChainPlace, ValueFailure> {
  const usual = defaultChains[role]
  const target = chainTargets[role]
  const example = `${target}, ${usual.table}, ${usual.from}, 1, ${usual.chain}, 1`
  return (text) => {
    const fields = text.split(',').map((field) => field.trim())
    const [named = '', table = '', from = '', position = '', chain = '', rulePosition = '', ...more] = fields
    if (more.length > 0 || rulePosition === '')
      return invalidValue(
        'it has six fields: target, table, host’s chain, place of the jump, own chain, place of a rule',
        example,
      )
    if (named !== target) return invalidValue(`the target here is always ${target}, not “${named}”`, example)
    const odd = [table, from, chain].find((name) => !/^[A-Za-z0-9_]+$/.test(name) || name.length > LONGEST_CHAIN)
    if (odd !== undefined)
      return invalidValue(`“${odd}” is not a name of letters, digits and “_”, at most ${LONGEST_CHAIN}`, example)
    if (role === 'input' || role === 'output' || role === 'forward' ? table === 'nat' : table !== 'nat')
      return invalidValue(`${target} does not work in the table “${table}”`, example)
    if (BUILT_IN.test(chain) || chain === from)
      return invalidValue(`“${chain}” is a chain of the host, and ghostport needs a chain of its own`, example)
    const bad = [position, rulePosition].find((place) => !/^[1-9][0-9]{0,4}$/.test(place))
    if (bad !== undefined) return invalidValue(`“${bad}” is not a place in a chain: they count from 1`, example)
    return ok({ table, from, position: Number(position), chain })
  }
}

/** FIREWALL_EXE. Which programs belong to it is asked where they are needed: {@link isIptables}. */
export const firewallProgramValue = absolutePath('/usr/sbin')

/** Whether the programs that belong to it can be named: `iptables-save`, `ip6tables-restore` and so on. */
export function isIptables(program: string): boolean {
  return /(^|\/)iptables(-nft|-legacy)?$/.test(program)
}

/** NFT_TABLE: a letter, then letters, digits and `_`; at most 31 in all. */
export function tableNameValue(text: string): Result<TableName, ValueFailure> {
  return /^[A-Za-z][A-Za-z0-9_]{0,30}$/.test(text)
    ? ok(text as TableName)
    : invalidValue(
        `“${text}” is not the name of a table: use a letter, then letters, digits and “_”, at most 31 characters`,
      )
}

/** CONNTRACK_MARK: decimal, or hexadecimal after `0x`. One bit, so that other programs can use the other 31. */
export function connectionMarkValue(text: string): Result<ConnectionMark, ValueFailure> {
  const mark = /^(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text) ? Number(text) : Number.NaN
  return mark >= 1 && mark <= 0x8000_0000 && Number.isInteger(Math.log2(mark))
    ? ok(mark as ConnectionMark)
    : invalidValue(`“${text}” is not a mark of one bit: 0x1, 0x2, 0x4 and so on, up to 0x80000000`, '0x200000')
}

/** RELAY: `8080 decoy=127.0.0.1:8000`, `192.0.2.1:80 decoy=reset service=127.0.0.1:22`. */
export function relayListenerValue(text: string): Result<RelayListener, ValueFailure> {
  const [where = '', decoyText = '', serviceText, ...more] = text.split(/\s+/)
  const [, key = '', decoyValue = ''] = /^([a-z]+)=(.*)$/i.exec(decoyText) ?? []
  if (more.length > 0 || key !== 'decoy')
    return invalidValue(
      'a relay is PORT or ADDRESS:PORT, then decoy=ADDRESS:PORT or decoy=reset, then optionally service=ADDRESS:PORT',
      relaySuggestion(where, key, decoyText, decoyValue, serviceText),
    )
  const decoy = decoyValue === 'reset' ? ok('reset' as const) : addressPortValue(decoyValue)
  if (!decoy.ok) return decoy
  if (serviceText !== undefined && !serviceText.startsWith('service='))
    return invalidValue(
      `“${serviceText}” is not service=ADDRESS:PORT`,
      `${where} ${decoyText} service=${serviceText.replace(/^[^=]*=/, '')}`,
    )
  const service = serviceText === undefined ? undefined : addressPortValue(serviceText.slice('service='.length))
  if (service !== undefined && !service.ok) return service
  const behind = { decoy: decoy.value, ...(service !== undefined && { service: service.value }) }
  if (/^[0-9]+$/.test(where)) {
    const port = portValue(where)
    return port.ok ? ok({ port: port.value, ...behind }) : port
  }
  const listen = addressPortValue(where)
  if (!listen.ok) return listen
  return ok({ address: listen.value.host, port: listen.value.port, ...behind })
}

function relaySuggestion(
  where: string,
  key: string,
  decoyText: string,
  decoyValue: string,
  serviceText?: string,
): string {
  if (key === 'decoy') return [where, decoyText, ...(serviceText === undefined ? [] : [serviceText])].join(' ')
  return nearest(key, ['decoy']) === undefined ? `${where} decoy=reset` : `${where} decoy=${decoyValue}`
}
