/**
 * Finds the keys to try and the stanzas to ask, by the port that a packet was sent to and the address that it came
 * from. Stanzas for other ports and sources cost nothing: single ports, addresses and networks are found by hashing,
 * with one look-up for each prefix length in use. The cost is linear only in the number of different keys for one port
 * and source, because packets do not name their key (docs/OPERATING.md).
 */
import { familyOf, type IpAddress, maskAddress, type Network, networkContains } from '../packet/address.ts'
import type { Port, PortRange } from '../units.ts'
import { gatherKeyrings, type Keyring, type KeyringName } from './keyring.ts'
import { isInRanges, mergeRanges } from './spa-port.ts'
import type { Stanza, StanzaEncryption, StanzaId } from './stanza.ts'

/** Stanzas that name the same source, by keyring. */
type Bucket = Map<Keyring, Stanza[]>

export class StanzaIndex {
  readonly #byId = new Map<StanzaId, Stanza>()
  readonly #keyringsOf = new Map<Stanza, Keyring[]>()
  readonly #keyringNamed = new Map<KeyringName, Keyring>()
  readonly #ports: PortIndex

  /** @param sharedPorts as `Policy.sharedPorts`. */
  constructor(stanzas: readonly Stanza[], sharedPorts?: readonly PortRange[]) {
    const groups = new PortGroups(sharedPorts)
    for (const keyring of gatherKeyrings(stanzas)) {
      this.#keyringNamed.set(keyring.name, keyring)
      for (const stanza of keyring.stanzas) {
        this.#byId.set(stanza.id, stanza)
        this.#keyringsOf.set(stanza, [...(this.#keyringsOf.get(stanza) ?? []), keyring])
        groups.of(stanza).add(keyring, stanza)
      }
    }
    this.#ports = new PortIndex(groups.all())
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
   * @param port where the packet was sent. `any` if nobody knows.
   */
  keyringsFor(source: IpAddress, port: Port | 'any'): readonly Keyring[] {
    const groups = this.#ports.at(port)
    const [first, ...others] = groups
    if (first === undefined) return NO_KEYRINGS
    if (others.length === 0) return first.keyringsFor(source)
    return [...new Set(groups.flatMap((group) => group.keyringsFor(source)))]
  }

  /**
   * The stanzas with these keys whose SOURCE has this address and that answer at this port, in file order. Empty if the
   * keys are not for them.
   */
  stanzasFor(keyring: Keyring, source: IpAddress, port: Port | 'any'): readonly Stanza[] {
    const found = this.#ports.at(port).flatMap((group) => group.stanzasFor(keyring, source))
    return [...new Set(found)].sort((a, b) => a.id - b.id)
  }

  /** Whether {@link keyringsFor} has these keys, in a time that does not depend on how many there are. */
  isFor(keyring: Keyring, source: IpAddress, port: Port): boolean {
    return this.#ports.at(port).some((group) => group.has(keyring, source))
  }
}

const NO_KEYRINGS: readonly Keyring[] = []

/** The stanzas that answer at the same ports. */
class SourceIndex {
  /** Absent: at every port. */
  readonly ports: readonly PortRange[] | undefined
  readonly #any: Bucket = new Map()
  /** Those of {@link #any}. Made when they are first asked for: all stanzas are here then. */
  #anyKeyrings: readonly Keyring[] | undefined
  /**
   * By family, then by prefix length (longest first), then by network address. A single address is a network of full
   * length.
   */
  readonly #networks: Readonly<Record<4 | 6, { length: number; byPrefix: Map<IpAddress, Bucket> }[]>> = { 4: [], 6: [] }

  constructor(ports: readonly PortRange[] | undefined) {
    this.ports = ports
  }

  add(keyring: Keyring, stanza: Stanza): void {
    if (stanza.sources === 'any') add(this.#any, keyring, stanza)
    else for (const network of stanza.sources) add(this.#bucketFor(network), keyring, stanza)
  }

  keyringsFor(source: IpAddress): readonly Keyring[] {
    this.#anyKeyrings ??= [...this.#any.keys()]
    if (this.#networks[familyOf(source)].length === 0) return this.#anyKeyrings
    const buckets = this.#bucketsOf(source)
    if (buckets.length === 1 && buckets[0] === this.#any) return this.#anyKeyrings
    return [...new Set(buckets.flatMap((bucket) => [...bucket.keys()]))]
  }

  stanzasFor(keyring: Keyring, source: IpAddress): readonly Stanza[] {
    return this.#bucketsOf(source).flatMap((bucket) => bucket.get(keyring) ?? [])
  }

  has(keyring: Keyring, source: IpAddress): boolean {
    return this.#bucketsOf(source).some((bucket) => bucket.has(keyring))
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
    let entry = lengths.find((it) => it.length === length)
    if (entry === undefined) {
      entry = { length, byPrefix: new Map<IpAddress, Bucket>() }
      lengths.push(entry)
      lengths.sort((a, b) => b.length - a.length)
    }
    const bucket: Bucket = entry.byPrefix.get(prefix) ?? new Map()
    entry.byPrefix.set(prefix, bucket)
    return bucket
  }
}

/** Stanzas by the text of their SPA_PORT: usually many users have the same. */
class PortGroups {
  readonly #shared: SourceIndex
  readonly #own = new Map<string, SourceIndex>()

  constructor(sharedPorts: readonly PortRange[] | undefined) {
    this.#shared = new SourceIndex(sharedPorts)
  }

  of({ spaPorts }: Stanza): SourceIndex {
    if (spaPorts === undefined) return this.#shared
    const ports = mergeRanges(spaPorts)
    const name = ports.map(({ first, last }) => `${first}-${last}`).join()
    const group = this.#own.get(name) ?? new SourceIndex(ports)
    this.#own.set(name, group)
    return group
  }

  all(): readonly SourceIndex[] {
    return [this.#shared, ...this.#own.values()]
  }
}

/** Finds the groups of a port: by hashing where they name single ports, one after the other where they name ranges. */
class PortIndex {
  readonly #all: readonly SourceIndex[]
  readonly #ranged: readonly SourceIndex[]
  /** The ports that some group names by themselves, with all groups of that port. */
  readonly #single = new Map<number, SourceIndex[]>()
  /** What {@link at} returns for every other port, if that is always the same. */
  readonly #elsewhere: readonly SourceIndex[] | undefined

  constructor(groups: readonly SourceIndex[]) {
    this.#all = groups
    this.#ranged = groups.filter(({ ports }) => ports === undefined || ports.some(({ first, last }) => first !== last))
    this.#elsewhere = this.#ranged.every(({ ports }) => ports === undefined) ? this.#ranged : undefined
    const isRanged = new Set(this.#ranged)
    for (const group of groups)
      if (!isRanged.has(group))
        for (const { first } of group.ports ?? []) {
          const found = this.#single.get(first)
          if (found === undefined) this.#single.set(first, [group, ...this.#rangedAt(first)])
          else found.push(group)
        }
  }

  at(port: Port | 'any'): readonly SourceIndex[] {
    if (port === 'any') return this.#all
    return this.#single.get(port) ?? this.#elsewhere ?? this.#rangedAt(port)
  }

  #rangedAt(port: number): readonly SourceIndex[] {
    return this.#ranged.filter(({ ports }) => ports === undefined || isInRanges(ports, port))
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
