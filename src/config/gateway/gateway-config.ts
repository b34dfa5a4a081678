/** What `gateway.conf` says, as typed values. */
import type { AccountName } from '../../access/command.ts'
import type { Brand, Milliseconds, Port } from '../../units.ts'
import type { HttpServerConfig } from '../http-server-settings.ts'
import type { HttpName, HttpPlace } from '../reading/http-places.ts'

/** The id of a target: 1 to 32 characters of `a` to `z`, digits and `-`. */
export type TargetId = Brand<string, 'TargetId'>

/** A host that the gateway sends packets to. */
export interface GatewayTarget {
  readonly id: TargetId
  /** An address, or a name that is looked up at the start and again from time to time. */
  readonly host: string
  readonly port: Port
}

export interface GatewayConfig extends HttpServerConfig {
  readonly listen: readonly HttpPlace[]
  readonly hosts: readonly HttpName[]
  readonly targets: readonly GatewayTarget[]
  readonly stateFolder: string
  /** Labels before a name of the gateway: together, a name that has addresses of IPv4 or IPv6 alone. */
  readonly echoLabels: readonly string[]
  /** Origins of pages elsewhere; `null` for pages from a file. */
  readonly origins: readonly string[]
  /** From a knock to the answer of its receipt. */
  readonly receiptWait: Milliseconds
  readonly limits: GatewayLimits
  /** Who the process becomes, if root starts it. */
  readonly user: AccountName
  /** Whether users may log in by plain HTML forms. */
  readonly forms: boolean
  /** Invitations by a link. Absent: there are none here. */
  readonly invitations?: { readonly tokenFile: string }
}

export interface GatewayLimits {
  /** Knocks a minute of one source. */
  readonly perSource: number
  /** Packets a second to one target. */
  readonly perTarget: number
  /** Packets a second to all targets. */
  readonly total: number
  readonly connections: number
  readonly connectionsPerSource: number
}
