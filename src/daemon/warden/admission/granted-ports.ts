/** The ports of this host that grants may be for, as far as the stanzas name them. */
import type { Stanza } from '../../../access/stanza.ts'
import type { ProtocolPort } from '../../../packet/message.ts'
import { port } from '../../../units.ts'

/** The assumed port of a stanza that names none. */
const USUAL: ProtocolPort = { protocol: 'tcp', port: port(22) }

/**
 * OPEN_PORTS without RESTRICT_PORTS, each once; tcp/22 for a stanza without OPEN_PORTS. FORCE_NAT leads to other ports,
 * and programs open those of a cycle.
 */
export function grantedPorts(stanzas: readonly Stanza[]): readonly ProtocolPort[] {
  const ports: ProtocolPort[] = []
  for (const { openPorts = [USUAL], restrictPorts, forceNat, cycle } of stanzas) {
    // The firewall opens nothing for a cycle.
    if (forceNat !== undefined || cycle !== undefined) continue
    for (const one of openPorts) {
      if (restrictPorts.some(({ protocol, port }) => protocol === one.protocol && port === one.port)) continue
      ports.push(one)
    }
  }
  return distinctPorts(ports)
}

/**
 * Ports where a ghost service may share the port with a public service: all {@link grantedPorts} except those that
 * NAT_TARGETS name as a service of this host. If they name none, tcp/22 counts as one.
 */
export function decoyPorts(stanzas: readonly Stanza[]): readonly ProtocolPort[] {
  return stanzas.flatMap((stanza) => {
    const named = (stanza.natTargets ?? [])
      .map(({ ports }) => ports)
      .filter(({ first, last }) => last - first < EVERY_PORT)
    const services = named.length > 0 ? named : [{ first: USUAL.port, last: USUAL.port }]
    return grantedPorts([stanza]).filter(({ port }) => services.every(({ first, last }) => port < first || port > last))
  })
}
const EVERY_PORT = 65_534

/** Each once, in order. */
export function distinctPorts(ports: readonly ProtocolPort[]): readonly ProtocolPort[] {
  return [...new Map(ports.map((one) => [`${one.protocol}/${one.port}`, one])).values()]
}
