/**
 * Packets that were refused for their date, in memory. They opened nothing, so the store has no entry for them; but
 * strangers saw them, and one may become acceptable later: a client's clock is minutes ahead, or the server's was wrong
 * and is put right. The newest of each key are remembered. Only the holder of a key makes new packets for it, so that
 * nobody else can push them out.
 */
import type { KeyringName } from '../access/keyring.ts'
import type { ReplayDigest } from '../packet/replay-digest.ts'

/** Of each key: what a client with a wrong clock sends in hours. 25 KB of memory. */
export const MOST_TURNED_AWAY = 256

export class TurnedAway {
  readonly #byKey = new Map<KeyringName, Set<ReplayDigest>>()

  has(keyring: KeyringName, digest: ReplayDigest): boolean {
    return this.#byKey.get(keyring)?.has(digest) ?? false
  }

  add(keyring: KeyringName, digest: ReplayDigest): void {
    const digests = this.#byKey.get(keyring) ?? new Set()
    this.#byKey.set(keyring, digests)
    digests.add(digest)
    if (digests.size <= MOST_TURNED_AWAY) return
    const [oldest] = digests
    if (oldest !== undefined) digests.delete(oldest)
  }
}
