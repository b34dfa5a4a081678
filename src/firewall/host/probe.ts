/** A probe: a packet that the host's rules are judged with. It is never sent, and stands for many packets. */

export interface Probe {
  readonly family: 'ip' | 'ip6'
  readonly protocol: 'tcp' | 'udp' | 'icmpv6'
  /** Absent: a port that no rule names. Has no meaning for ICMPv6. */
  readonly destinationPort?: number
  /** Absent: a port above 1023 that the client's system chose. */
  readonly sourcePort?: number
  readonly icmpType?: number
  /** The conntrack state. Neighbour discovery is never tracked. */
  readonly state: 'new' | 'untracked'
  /** The connection's mark. */
  readonly mark: number
  /** Redirected by ghostport to an inner host. */
  readonly translated?: true
  /**
   * `stranger`: from an address that no rule names, to an address of this host. `somebody`: from any address, to an
   * address of this host. `neighbour`: from an address of the link, to an address of this host or a multicast group of
   * the link. `self`: from this host, as an answer.
   */
  readonly from: 'stranger' | 'somebody' | 'neighbour' | 'self'
}

/** Whether a rule, or a part of it, matches a probe. */
export type Grade = 'yes' | 'no' | 'unknown'
export type Test = (probe: Probe) => Grade

export function not(grade: Grade): Grade {
  return grade === 'yes' ? 'no' : grade === 'no' ? 'yes' : 'unknown'
}

export function grade(is: boolean): Grade {
  return is ? 'yes' : 'no'
}
