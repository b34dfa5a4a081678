/**
 * From the address that a packet came from to the keys to try and the stanzas to ask. What it costs does not grow with
 * stanzas for other sources: single addresses and networks are found by hashing, one look for each length of network in use.
 * What remains linear is the number of different keys among the stanzas for one source: the format has no key identifier
 * (docs/OPERATING.md).
 */
import { familyOf, type IpAddress, maskAddress, type Network, networkContains } from '../packet/address.ts'
import { gatherKeyrings, type Keyring, type KeyringName } from './keyring.ts'
import type { Stanza, StanzaId } from './stanza.ts'

/** Stanzas that name the same source, by their keys. */
type Bucket = Map<Keyring, Stanza[]>

export class StanzaIndex {
  readonly #byId = new Map<StanzaId, Stanza>()
  readonly #keyringOf = new Map<Stanza, Keyring>()
  readonly #keyringNamed = new Map<KeyringName, Keyring>()
  readonly #any: Bucket = new Map()
  /** By family, then by length (longest first), then by network address. Single addresses are networks of full length. */
  readonly #networks: Readonly<Record<4 | 6, { length: number; byPrefix: Map<IpAddress, Bucket> }[]>> = { 4: [], 6: [] }

  constructor(stanzas: readonly Stanza[]) {
    for (const keyring of gatherKeyrings(stanzas)) {
      this.#keyringNamed.set(keyring.name, keyring)
      for (const stanza of keyring.stanzas) {
        this.#byId.set(stanza.id, stanza)
        this.#keyringOf.set(stanza, keyring)
        if (stanza.sources === 'any') add(this.#any, keyring, stanza)
        else for (const network of stanza.sources) add(this.#bucketFor(network), keyring, stanza)
      }
    }
    for (const lengths of Object.values(this.#networks)) lengths.sort((a, b) => b.length - a.length)
  }

  byId(id: StanzaId): Stanza | undefined {
    return this.#byId.get(id)
  }

  /** The keys of a stanza of this index. */
  keyringOf(stanza: Stanza): Keyring {
    const keyring = this.#keyringOf.get(stanza)
    if (keyring === undefined) throw new Error('a stanza of another index')
    return keyring
  }

  /** @returns undefined where no stanza of this index has these keys. */
  keyringNamed(name: KeyringName): Keyring | undefined {
    return this.#keyringNamed.get(name)
  }

  /**
   * The keys that may open a packet from here, those of the narrowest networks first. The order is that of trying, not of
   * policy: a packet opens under one keyring only.
   */
  *keyringsFor(source: IpAddress): Iterable<Keyring> {
    const earlier: Bucket[] = []
    for (const bucket of this.#bucketsOf(source)) {
      for (const keyring of bucket.keys()) if (!earlier.some((it) => it.has(keyring))) yield keyring
      earlier.push(bucket)
    }
  }

  /** The stanzas with these keys whose SOURCE is this address, in file order. None if the keys are not for this source. */
  stanzasFor(keyring: Keyring, source: IpAddress): readonly Stanza[] {
    const found = this.#bucketsOf(source).flatMap((bucket) => bucket.get(keyring) ?? [])
    return [...new Set(found)].sort((a, b) => a.id - b.id)
  }

  #bucketsOf(source: IpAddress): Bucket[] {
    const buckets: Bucket[] = []
    for (const { length, byPrefix } of this.#networks[familyOf(source)]) {
      const bucket = byPrefix.get(maskAddress(source, length))
      if (bucket !== undefined) buckets.push(bucket)
    }
    if (this.#any.size > 0) buckets.push(this.#any)
    return buckets
  }

  #bucketFor({ prefix, length }: Network): Bucket {
    const lengths = this.#networks[familyOf(prefix)]
    const entry = lengths.find((it) => it.length === length) ?? { length, byPrefix: new Map<IpAddress, Bucket>() }
    if (!lengths.includes(entry)) lengths.push(entry)
    const bucket: Bucket = entry.byPrefix.get(prefix) ?? new Map()
    entry.byPrefix.set(prefix, bucket)
    return bucket
  }
}

function add(bucket: Bucket, keyring: Keyring, stanza: Stanza): void {
  const stanzas = bucket.get(keyring)
  if (stanzas === undefined) bucket.set(keyring, [stanza])
  else stanzas.push(stanza)
}

/** Whether SOURCE or DESTINATION takes in an address. One that capture cannot know is in no network. */
export function isAmong(networks: 'any' | readonly Network[], address: IpAddress | undefined): boolean {
  if (networks === 'any') return true
  return address !== undefined && networks.some((network) => networkContains(network, address))
}
