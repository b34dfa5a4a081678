/** What decides who may have what: the stanzas of `access.conf` and the server-wide settings of `fwknopd.conf`. */
import type { IpAddress, Network } from '../packet/address.ts'
import type { PortRange, Seconds } from '../units.ts'
import type { Gateways } from './gateways.ts'
import type { Stanza } from './stanza.ts'

export interface Policy {
  /** In file order. The first that grants wins. */
  readonly stanzas: readonly Stanza[]
  /**
   * SPA_PORTS, or what the server has in their place: where the stanzas without SPA_PORT answer. Absent: no stanza has
   * SPA_PORT, so all answer at every port that is captured.
   */
  readonly sharedPorts?: readonly PortRange[]
  /**
   * ENABLE_SPA_PACKET_AGING and MAX_SPA_PACKET_AGE: how far a packet's time may be from this host's, in either
   * direction.
   */
  readonly maxAge: Seconds | 'unlimited'
  /** ENABLE_DIGEST_PERSISTENCE: whether used packets are remembered at all. */
  readonly refuseReplays: boolean
  /** GATEWAY_ADDRESSES. Absent: there is no gateway. */
  readonly gateways?: Gateways
  /** VERBOSE of fwknopd: the log shows each packet that was opened. */
  readonly showsPackets?: true
  /** The program fwknopd: the log names each stanza that did not take a packet. */
  readonly namesTrials?: true
  /** ENABLE_SPA_OVER_HTTP, ALLOW_ANY_USER_AGENT, ENABLE_X_FORWARDED_FOR. */
  readonly http:
    | 'off'
    | {
        readonly anyUserAgent: boolean
        readonly trustForwardedFor: boolean
        /** TRUSTED_PROXIES: who may say so. Absent: anybody. */
        readonly proxies?: readonly Network[]
      }
  /** ENABLE_DESTINATION_RULE: a grant counts at the address that its packet was sent to. */
  readonly atDestination?: true
  readonly nat: {
    /** ENABLE_IPT_FORWARDING: NAT requests and FORCE_NAT. */
    readonly forward: boolean
    /** ENABLE_IPT_LOCAL_NAT: ghost services. */
    readonly local: boolean
    /** As in fwknop: the rule of a ghost service names the address that the client named. */
    readonly namesGhosts?: true
    /** ENABLE_IPT_SNAT and SNAT_TRANSLATE_IP. */
    readonly translation: 'none' | 'masquerade' | { readonly snat: IpAddress }
    /** ENABLE_NAT_DNS: whether a NAT target may be a name. */
    readonly resolveNames: boolean
  }
}
