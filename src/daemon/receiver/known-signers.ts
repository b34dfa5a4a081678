/**
 * From which sources accepted signers knocked: a source can be forged, a signature cannot. So a signer that forges
 * many sources stays one signer, and displaces only sources of its own.
 */
import type { IpAddress } from '../../packet/address.ts'

/** More than most servers have clients. A signer is a key of the server’s keyring: strangers make none. */
const MOST_SIGNERS = 1024
/** For a client that travels. */
const SOURCES_PER_SIGNER = 32

export class KnownSigners {
  /** The first entry of the Map, and of each Set, is the one that was not seen for the longest time. */
  readonly #sources = new Map<string, Set<IpAddress>>()
  /** The same the other way round. */
  readonly #signers = new Map<IpAddress, Set<string>>()

  /** @param signer a name for the key that signed a packet from there, which a stanza accepts. */
  remember(source: IpAddress, signer: string): void {
    const sources = this.#sources.get(signer) ?? new Set()
    this.#sources.delete(signer)
    this.#sources.set(signer, sources)
    sources.delete(source)
    sources.add(source)
    const signers = this.#signers.get(source) ?? new Set()
    this.#signers.set(source, signers.add(signer))
    const [oldestSource] = sources
    if (sources.size > SOURCES_PER_SIGNER && oldestSource !== undefined) this.#forget(signer, oldestSource)
    const [oldest] = this.#sources
    if (this.#sources.size > MOST_SIGNERS && oldest !== undefined)
      for (const its of [...oldest[1]]) this.#forget(oldest[0], its)
  }

  /** Who signed packets from there. */
  at(source: IpAddress): readonly string[] {
    return [...(this.#signers.get(source) ?? [])]
  }

  /** Entries, to be sure that there is an end to them. */
  get size(): number {
    return this.#signers.size + this.#sources.size
  }

  #forget(signer: string, source: IpAddress): void {
    forgetOne(this.#sources, signer, source)
    forgetOne(this.#signers, source, signer)
  }
}

function forgetOne<Key, Value>(of: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const values = of.get(key)
  values?.delete(value)
  if (values?.size === 0) of.delete(key)
}
