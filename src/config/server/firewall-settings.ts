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
/** CONNTRACK_MARK */
export const DEFAULT_MARK = 0x20_0000 as ConnectionMark
/** MAX_GRANTS */
export const DEFAULT_MAX_GRANTS = 65_535

export type FirewallConfig = NftablesConfig | RelayConfig

export interface NftablesConfig extends TableShape {
  readonly kind: 'nftables'
}

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
}

/** How we live with the host's own rules (docs/OPERATING.md). */
export type CoexistenceMode =
  /** The host drops by default and has one rule that accepts what carries our mark. Fails closed. */
  | { readonly kind: 'mark' }
  /** The host lets the protected ports in; we drop what has no grant. Fails open where our table is removed. */
  | { readonly kind: 'gate'; readonly protectedPorts: NonEmpty<ProtocolPort> }

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

/** `nftables mark`, `nftables gate` or `relay`, for logs and status. */
export function describeFirewall(firewall: FirewallConfig): string {
  return firewall.kind === 'nftables' ? `nftables ${firewall.mode.kind}` : 'relay'
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
