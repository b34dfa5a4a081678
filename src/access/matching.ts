/**
 * Finds the keys to try and the stanzas to ask, by the address that a packet came from. Stanzas for other sources cost
 * nothing: addresses and networks are found by hashing, with one look-up for each prefix length in use. The cost is
 * linear only in the number of different keys for one source, because packets do not name their key
 * (docs/OPERATING.md).
 */
import { familyOf, type IpAddress, maskAddress, type Network, networkContains } from '../packet/address.ts'
import { gatherKeyrings, type Keyring, type KeyringName } from './keyring.ts'
import type { Stanza, StanzaEncryption, StanzaId } from './stanza.ts'

/** Stanzas that name the same source, by keyring. */
type Bucket = Map<Keyring, Stanza[]>

export class StanzaIndex {
  readonly #byId = new Map<StanzaId, Stanza>()
  readonly #keyringsOf = new Map<Stanza, Keyring[]>()
  readonly #keyringNamed = new Map<KeyringName, Keyring>()
  readonly #any: Bucket = new Map()
  /** Those of {@link #any}. */
  readonly #anyKeyrings: readonly Keyring[]
  /**
   * By family, then by prefix length (longest first), then by network address. A single address is a network of full
   * length.
   */
  readonly #networks: Readonly<Record<4 | 6, { length: number; byPrefix: Map<IpAddress, Bucket> }[]>> = { 4: [], 6: [] }

  constructor(stanzas: readonly Stanza[]) {
    for (const keyring of gatherKeyrings(stanzas)) {
      this.#keyringNamed.set(keyring.name, keyring)
      for (const stanza of keyring.stanzas) {
        this.#byId.set(stanza.id, stanza)
        this.#keyringsOf.set(stanza, [...(this.#keyringsOf.get(stanza) ?? []), keyring])
        if (stanza.sources === 'any') add(this.#any, keyring, stanza)
        else for (const network of stanza.sources) add(this.#bucketFor(network), keyring, stanza)
      }
    }
    this.#anyKeyrings = [...this.#any.keys()]
    for (const lengths of Object.values(this.#networks)) lengths.sort((a, b) => b.length - a.length)
  }

  byId(id: StanzaId): Stanza | undefined {
    return this.#byId.get(id)
  }

  /** The keys of this kind that a stanza of this index has. @returns undefined if it has none of this kind. */
  keyringOf(stanza: Stanza, kind: StanzaEncryption['kind']): Keyring | undefined {
    return this.keyringsOf(stanza).find(({ encryption }) => encryption.kind === kind)
  }

  /** The keys of a stanza of this index: one keyring, or two of different kinds. */
  keyringsOf(stanza: Stanza): readonly Keyring[] {
    const keyrings = this.#keyringsOf.get(stanza)
    if (keyrings === undefined) throw new Error('a stanza of another index')
    return keyrings
  }

  /** @returns undefined if no stanza of this index has these keys. */
  keyringNamed(name: KeyringName): Keyring | undefined {
    return this.#keyringNamed.get(name)
  }

  /**
   * The keys that may open a packet from here, those of the narrowest networks first. This is the order of trying and
   * does not affect policy: a packet opens with one keyring only.
   */
  keyringsFor(source: IpAddress): readonly Keyring[] {
    const networks = this.#networks[familyOf(source)]
    if (networks.length === 0) return this.#anyKeyrings
    const buckets = this.#bucketsOf(source)
    if (buckets.length === 1 && buckets[0] === this.#any) return this.#anyKeyrings
    return [...new Set(buckets.flatMap((bucket) => [...bucket.keys()]))]
  }

  /**
   * The stanzas with these keys whose SOURCE has this address, in file order. Empty if the keys are not for this
   * source.
   */
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

/** Whether SOURCE or DESTINATION contains an address. An unknown address is in no network. */
export function isAmong(networks: 'any' | readonly Network[], address: IpAddress | undefined): boolean {
  if (networks === 'any') return true
  return address !== undefined && networks.some((network) => networkContains(network, address))
}
