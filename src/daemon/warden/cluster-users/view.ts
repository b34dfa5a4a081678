/**
 * What etcd shows of the cluster’s users: rosters and pages, as they come. All were opened with the secret of the
 * cluster. What is not there may have been kept back.
 */
import type { RecordId } from '../../../cluster-record/record-name.ts'
import { type Roster, readPage, readRoster } from '../../../cluster-users/roster.ts'

/** Those with the highest numbers. */
const MOST_ROSTERS = 16
/** Four times those of the longest roster. */
const MOST_PAGES_KNOWN = 1024

export class UsersView {
  readonly #rosters = new Map<number, Roster>()
  readonly #pages = new Map<string, { readonly stanzas: readonly string[]; readonly since: number }>()

  /** @param now monotonic. @returns whether it is one of the two. */
  take(id: RecordId, value: unknown, now: number): boolean {
    const [kind, word] = id.split('/')
    const roster = kind === 'roster' ? readRoster(value) : undefined
    if (roster !== undefined && `${roster.version}` === word) {
      this.#rosters.set(roster.version, roster)
      const least = [...this.#rosters.keys()].toSorted((a, b) => a - b)[0]
      if (this.#rosters.size > MOST_ROSTERS && least !== undefined) this.#rosters.delete(least)
      return true
    }
    const page = kind === 'page' ? readPage(value) : undefined
    if (page === undefined || word === undefined) return false
    const since = this.#pages.get(word)?.since ?? now
    this.#pages.set(word, { stanzas: page.stanzas, since })
    if (this.#pages.size > MOST_PAGES_KNOWN) this.#forgetOne()
    return true
  }

  remove(id: RecordId): void {
    const [kind, word = ''] = id.split('/')
    if (kind === 'roster') this.#rosters.delete(Number(word))
    else this.#pages.delete(word)
  }

  /** The roster with the highest number. */
  get top(): Roster | undefined {
    return [...this.#rosters.values()].reduce<Roster | undefined>(
      (best, one) => (best === undefined || one.version > best.version ? one : best),
      undefined,
    )
  }

  get rosters(): readonly Roster[] {
    return [...this.#rosters.values()]
  }

  /** @returns the stanzas of each page, in order; undefined while one of them is missing. */
  pagesOf({
    pages,
  }: Pick<Roster, 'pages'>): readonly { readonly id: string; readonly stanzas: readonly string[] }[] | undefined {
    const found = pages.flatMap((id) => {
      const page = this.#pages.get(id)
      return page === undefined ? [] : [{ id, stanzas: page.stanzas }]
    })
    return found.length === pages.length ? found : undefined
  }

  /**
   * What may be removed from etcd.
   * @param kept rosters that count, the newest among them. @param before pages that came later may belong to a change
   * that is under way.
   */
  waste(kept: readonly Roster[], before: number): readonly string[] {
    const versions = new Set(kept.map(({ version }) => version))
    const least = Math.max(...versions)
    const pages = new Set(kept.flatMap((roster) => roster.pages))
    const old = [...this.#rosters.values()].filter(({ version }) => version < least && !versions.has(version))
    const ofOld = new Set(old.flatMap((roster) => roster.pages))
    return [
      ...old.map(({ version }) => `roster/${version}`),
      ...[...this.#pages]
        .filter(([id, { since }]) => !pages.has(id) && (ofOld.has(id) || since < before))
        .map(([id]) => `page/${id}`),
    ]
  }

  #forgetOne(): void {
    const used = new Set(this.top?.pages)
    for (const id of this.#pages.keys())
      if (!used.has(id)) {
        this.#pages.delete(id)
        return
      }
  }
}
