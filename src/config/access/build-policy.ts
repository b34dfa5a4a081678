/** Both files together: the policy, and what only shows when they are seen side by side. */

import { overshadowedByGnupg } from '../../access/keyring.ts'
import type { Policy } from '../../access/policy.ts'
import type { Stanza } from '../../access/stanza.ts'
import { isLinkLocalNetwork, isLoopback } from '../../packet/address-kinds.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import type { ServerConfig } from '../server/server-config.ts'
import { StanzaNotices } from './stanza-notices.ts'
import { assembleStanzaPorts } from './stanza-ports.ts'

/** The server's configuration with its stanzas. */
export interface BuiltPolicy {
  readonly policy: Policy
  /** Those of the server, with what stanzas add to them (SPA_PORT). */
  readonly captures: ServerConfig['captures']
  readonly notices: readonly Notice[]
}

/**
 * @returns `CONFIG_CONFLICT` for a FORCE_NAT where no NAT is enabled, and for a SPA_PORT that the server cannot
 * capture.
 */
export function buildPolicy(config: ServerConfig, stanzas: readonly Stanza[]): Result<BuiltPolicy, ConfigFailure> {
  const { nat } = config.policy
  const notices = new StanzaNotices()
  for (const stanza of overshadowedByGnupg(stanzas)) notices.about(stanza).add('gnupgApart', stanza.location)
  for (const stanza of stanzas) {
    const { location: at, forceNat, natTargets, destinations, sources } = stanza
    const about = notices.about(stanza)
    // The administrator wrote the target himself, so either switch will do, as in fwknopd.
    if (forceNat !== undefined && !nat.forward && !nat.local) {
      const variable = isLoopback(forceNat.address) ? 'ENABLE_IPT_LOCAL_NAT' : 'ENABLE_IPT_FORWARDING'
      return refuse(
        'CONFIG_CONFLICT',
        'FORCE_NAT needs ENABLE_IPT_FORWARDING Y or ENABLE_IPT_LOCAL_NAT Y in fwknopd.conf',
        { at, suggestion: `${variable} Y;` },
      )
    }
    if (stanza.forwardAll && !nat.forward)
      return refuse('CONFIG_CONFLICT', 'FORWARD_ALL needs ENABLE_IPT_FORWARDING Y in fwknopd.conf', {
        at,
        suggestion: 'ENABLE_IPT_FORWARDING Y;',
      })
    if ((stanza.gates !== undefined || stanza.fromCluster) && config.cluster?.secretFile === undefined)
      return refuse(
        'CONFIG_CONFLICT',
        `${stanza.gates === undefined ? 'FROM_CLUSTER' : 'GATES'} needs CLUSTER and CLUSTER_SECRET_FILE in fwknopd.conf`,
        { at, suggestion: 'CLUSTER_SECRET_FILE /etc/fwknop/cluster.secret;' },
      )
    if (stanza.withoutCluster) about.add(config.cluster === undefined ? 'clusterUnused' : 'withoutCluster', at)
    if (stanza.disableDnat && !nat.forward && !nat.local) about.add('disableDnatUnused', at)
    if ((forceNat === undefined || stanza.forwardAll) && natTargets === undefined && (nat.forward || nat.local))
      about.add('natAnywhere', at)
    if (natTargets !== undefined && stanza.ofCluster !== true && !nat.forward && !nat.local)
      about.add('natTargetsUnused', at)
    if (sources !== 'any' && sources.every(isLinkLocalNetwork)) about.add('sourceLinkLocal', at)
    if (destinations !== 'any' && config.captures.some(({ kind }) => kind === 'udp'))
      about.add('destinationUnknown', at)
  }
  const ports = assembleStanzaPorts(config.captures, stanzas)
  if (!ports.ok) return ports
  const { captures, sharedPorts } = ports.value
  const policy = { ...config.policy, stanzas, ...(sharedPorts !== undefined && { sharedPorts }) }
  const opensNothing = config.captures.length === 0 && !stanzas.some(({ fromCluster }) => fromCluster)
  return ok({ policy, captures, notices: [...notices.all(), ...(opensNothing ? [IDLE_GATE] : [])] })
}

const IDLE_GATE: Notice = {
  level: 'warning',
  text: 'This gate opens nothing: it captures no packets (CAPTURE none), and no stanza has FROM_CLUSTER Y',
  cure: 'add FROM_CLUSTER Y to a stanza with the NAME that the other nodes use',
}
