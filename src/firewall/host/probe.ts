/** A packet that the host's rules are asked about: not one that is sent, but one that stands for many. */

export interface Probe {
  readonly family: 'ip' | 'ip6'
  readonly protocol: 'tcp' | 'udp' | 'icmpv6'
  /** Absent: a port that no rule names. Of no meaning to ICMPv6. */
  readonly destinationPort?: number
  /** Absent: a port above 1023 that the client's system chose. */
  readonly sourcePort?: number
  readonly icmpType?: number
  /** What conntrack says. Neighbour discovery is never tracked. */
  readonly state: 'new' | 'untracked'
  /** The connection's mark. */
  readonly mark: number
  /** Led elsewhere by us: a way to an inner host. */
  readonly translated?: true
  /**
   * `stranger`: an address that no rule names, to an address of this host. `somebody`: any address, to an address of this host.
   * `neighbour`: an address of the link, to an address of this host or a group of the link. `self`: this host, which answers.
   */
  readonly from: 'stranger' | 'somebody' | 'neighbour' | 'self'
}

/** Whether a rule, or a part of it, is about a probe. */
export type Grade = 'yes' | 'no' | 'unknown'
export type Test = (probe: Probe) => Grade

export function not(grade: Grade): Grade {
  return grade === 'yes' ? 'no' : grade === 'no' ? 'yes' : 'unknown'
}

export function grade(is: boolean): Grade {
  return is ? 'yes' : 'no'
}
