/**
 * What happened to packets in a cluster, and whether that may be. Pure: the runner records, and this judges.
 *
 * The promise: each packet is accepted at most once in the whole cluster, and each acceptance has a claim in etcd of
 * the node that accepted.
 */

export interface Acceptance {
  /** Which packet: the user name in it. */
  readonly packet: string
  readonly node: string
}

export interface History {
  /** Every packet that was sent, with its replay digest. */
  readonly sent: ReadonlyMap<string, string>
  readonly accepted: readonly Acceptance[]
  /** What etcd has at the end: replay digest → the node that claimed it. */
  readonly claims: ReadonlyMap<string, string>
}

/** @returns what breaks the promise, a sentence each. */
export function faultsIn({ sent, accepted, claims }: History): readonly string[] {
  const found: string[] = []
  const by = new Map<string, string[]>()
  for (const { packet, node } of accepted) by.set(packet, [...(by.get(packet) ?? []), node])
  for (const [packet, nodes] of by) {
    const digest = sent.get(packet)
    if (digest === undefined) found.push(`${packet} was accepted at ${nodes.join(', ')}, and never sent`)
    if (nodes.length > 1) found.push(`${packet} was accepted ${nodes.length} times: at ${nodes.join(', ')}`)
    const claimed = digest === undefined ? undefined : claims.get(digest)
    for (const node of new Set(nodes))
      if (digest !== undefined && claimed !== node)
        found.push(`${packet} was accepted at ${node}, and ${claimed === undefined ? 'nobody' : claimed} claimed it`)
  }
  return found
}
