/** The servers that the client's stanzas name: their addresses, and where a packet to them comes from. */
import { type AddressFamily, familyOf, type IpAddress, parseAddress } from '../../../packet/address.ts'
import type { Known } from '../../known.ts'
import { known } from '../../known.ts'
import type { Subject } from '../subject.ts'
import { lookAtClientStanzas } from './client-stanzas.ts'

export interface NamedServer {
  /** As the stanza names it. */
  readonly server: string
  readonly isAddress: boolean
  /** Undefined: the name has none. */
  readonly addresses: Known<readonly IpAddress[] | undefined>
  /** For each family of its addresses: the own address towards it, or why there is no way. */
  readonly sources: ReadonlyMap<AddressFamily, Known<IpAddress>>
}

/** By the name of the stanza. */
export async function lookAtServers(subject: Subject): Promise<Known<ReadonlyMap<string, NamedServer>>> {
  const { looker } = subject
  const stanzas = await lookAtClientStanzas(subject)
  if (!stanzas.known) return stanzas
  const found = new Map<string, NamedServer>()
  const seen = new Map<string, NamedServer>()
  for (const { name, settings } of stanzas.value.stanzas) {
    const server = settings?.server
    if (server === undefined) continue
    const before = seen.get(server) ?? (await lookAtServer(server, looker))
    seen.set(server, before)
    found.set(name, before)
  }
  return known(found)
}

async function lookAtServer(server: string, looker: Subject['looker']): Promise<NamedServer> {
  const isAddress = parseAddress(server.replace(/^\[(.*)\]$/, '$1')).ok
  const addresses = await looker.resolve(server)
  const sources = new Map<AddressFamily, Known<IpAddress>>()
  for (const address of addresses.known ? (addresses.value ?? []) : [])
    if (!sources.has(familyOf(address))) sources.set(familyOf(address), await looker.sourceTowards(address))
  return { server, isAddress, addresses, sources }
}
