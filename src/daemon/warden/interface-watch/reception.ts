/**
 * Whether packets that could be knocks come to this host, and none is received (docs/INTERFACES.md). Pure. Two kinds
 * can be told for sure:
 *
 * - packet sockets get what comes in by every interface. What comes by one that PCAP_INTF does not name is passed over;
 * - a UDP socket gets what the kernel and the host's firewall let through. A witness counts what arrived before them.
 */
import { printable } from '../../../bytes/text.ts'
import type { Elsewhere } from '../../../capture/capture.ts'
import type { Condition } from './conditions.ts'

/** Counts since the start. They never go back. */
export interface Reception {
  /** Packets that the receivers got: examined, or lost for lack of room. */
  readonly received: number
  readonly elsewhere?: Elsewhere
}

/** What is known at one look. */
export interface ReceptionLook {
  readonly received: number
  /** Packets that came to this host, and that the receiver did not have to get. */
  readonly unheard: number
}

/** Packets that came while none was received. */
export interface Silence {
  readonly packets: number
  /** Looks since the first of them, that one included. */
  readonly looks: number
}

/** With fewer, it may be one client in its first minute, or a packet that the receiver is about to read. */
const LEAST_PACKETS = 3
const LEAST_LOOKS = 3

/** @returns undefined as soon as a packet was received, and until packets come. */
export function nextSilence(
  silence: Silence | undefined,
  before: ReceptionLook,
  now: ReceptionLook,
): Silence | undefined {
  if (now.received !== before.received) return undefined
  const packets = (silence?.packets ?? 0) + Math.max(0, now.unheard - before.unheard)
  return packets === 0 ? undefined : { packets, looks: (silence?.looks ?? 0) + 1 }
}

/** Where the packets came to. */
export type Where =
  | { readonly kind: 'elsewhere'; readonly by: string; readonly wanted: readonly string[] }
  | { readonly kind: 'socket'; readonly ports: readonly string[] }

export function silenceConditions(silence: Silence | undefined, where: Where): readonly Condition[] {
  if (silence === undefined || silence.packets < LEAST_PACKETS || silence.looks < LEAST_LOOKS) return []
  if (where.kind === 'elsewhere') {
    const { wanted } = where
    // The kernel allows all but a few characters.
    const by = printable(where.by)
    return [
      {
        ...{ code: 'INTF_ELSEWHERE', level: 'warning', interface: by },
        text: `packets that could be knocks come in by “${by}”, which PCAP_INTF does not name, and none by ${wanted.map((name) => `“${name}”`).join(', ')}`,
        // Anybody can send such packets.
        cure: `if clients send their knocks there, name that interface (PCAP_INTF ${[...wanted, by].join(', ')};), and restart the server. Else they are of strangers, and nothing is to be done`,
      },
    ]
  }
  const ports = where.ports.join(', ')
  return [
    {
      ...{ code: 'INTF_UNHEARD', level: 'warning', interface: 'any' },
      text: `packets that could be knocks arrive for ${ports}, and none reaches the socket: the host’s firewall or rp_filter drops them, or they are for another host`,
      cure: `let ${ports} in (“ghostport doctor” looks at the rules), or set CAPTURE packet, which no rule of the host stops`,
    },
  ]
}
