/** Stanzas of a cluster beside the settings of this node: one that does not go with them is left out, alone. */
import type { Stanza } from '../../access/stanza.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import type { Notice } from '../reading/notice.ts'
import type { ServerConfig } from '../server/server-config.ts'
import { buildPolicy } from './build-policy.ts'

/** @param notices gets why a stanza is left out. */
export function withoutUnfit(server: ServerConfig, stanzas: readonly Stanza[], notices: Notice[]): readonly Stanza[] {
  const fit = stanzas.filter((stanza) => {
    if (stanza.ofCluster !== true) return true
    const why = whyUnfit(server, stanza)
    if (why !== undefined) notices.push(leftOut(stanza, why))
    return why === undefined
  })
  const own = fit.filter(({ ofCluster }) => ofCluster !== true)
  if (own.length === fit.length || buildPolicy(server, fit).ok || !buildPolicy(server, own).ok) return fit
  // Each alone was good: together they have more SPA ports than this node can take.
  return fit.filter((stanza) => {
    const isUnfit = stanza.ofCluster === true && stanza.spaPorts !== undefined
    if (isUnfit) notices.push(leftOut(stanza, 'the stanzas have more SPA ports than this node can take'))
    return !isUnfit
  })
}

function whyUnfit(server: ServerConfig, stanza: Stanza): string | undefined {
  const { forceNat, forwardAll, spaPorts } = stanza
  if (forceNat === undefined && forwardAll === undefined && spaPorts === undefined) return undefined
  // Other ways of capture take another port at a restart only. A change in the cluster must not need one.
  if (spaPorts !== undefined && server.captures.some(({ kind }) => kind !== 'packet'))
    return 'SPA_PORT of a stanza of the cluster needs “CAPTURE packet”, alone'
  const built = buildPolicy(server, [stanza])
  return built.ok ? undefined : built.failure.detail
}

function leftOut({ id, name, location }: Stanza, why: string): Notice {
  const text = `${describeStanza(id, name)} of the cluster is left out at this node: ${why}`
  return { level: 'warning', text, at: location }
}
