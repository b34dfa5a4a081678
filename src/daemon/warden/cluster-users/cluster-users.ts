/**
 * The users of the cluster at this node (CLUSTER_USERS): takes each newer roster, keeps a copy of its stanzas, has the
 * configuration read again, and makes changes that “ghostport user” asks for. It never goes back behind what it took,
 * also after a restart. How old the copy may be is bounded: after that, stanzas of the cluster grant nothing.
 */
import { randomBytes } from 'node:crypto'
import type { StanzaName } from '../../../access/stanza-name.ts'
import { monotonic } from '../../../clock.ts'
import { type RecordName, recordId } from '../../../cluster-record/record-name.ts'
import { endedUsers } from '../../../cluster-users/ended.ts'
import { changePages, onPages, type PageOfStanzas, type StanzaChange } from '../../../cluster-users/pages.ts'
import { judgeRoster, MOST_RECENT, nextRoster, type Roster, type Seen } from '../../../cluster-users/roster.ts'
import { stanzaTexts } from '../../../config/access/cluster-blocks.ts'
import type { Log } from '../../../log.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { milliseconds, type Seconds } from '../../../units.ts'
import type { Records } from '../cluster-process/records.ts'
import type { CopyFile } from './copy-file.ts'
import { UsersView } from './view.ts'

const TICK = milliseconds(1000)
/** A crash of the host may lose what was learned in this time: the copy then looks older than it is. */
const KEEP_EVERY = milliseconds(60_000)
/** Until the change that this node made is told by etcd. */
const TAKEN_WITHIN = milliseconds(10_000)
/** The same, where etcd did not say that it was made. */
const TOLD_WITHIN = milliseconds(2000)
const ATTEMPTS = 5
/** Pages that no roster names for so long belong to a change that was not finished. */
const UNFINISHED = milliseconds(600_000)

export interface ClusterUsersParts {
  readonly records: Pick<Records, 'on' | 'put' | 'create' | 'remove' | 'status'>
  readonly copy: CopyFile
  /** The name of this node. */
  readonly node: string
  /** CLUSTER_COPY_AGE */
  readonly copyAge: Seconds
  readonly log: Log
}

/** Puts a new copy into force. @param ended users whose grants end. @returns why it is not in force. */
export type ApplyCopy = (from: Roster, ended: readonly StanzaName[]) => Promise<string | undefined>

/** For `ghostport status`. */
export interface ClusterUsersStatus {
  /** 0: the cluster has no users yet, or none are known here. */
  readonly version: number
  readonly stanzas: number
  /** Of these, those that this node cannot use: “ghostport check” says why. */
  readonly leftOut: number
  /** Whether the copy is what etcd has now. */
  readonly inSync: boolean
  /** How long ago it was last known to be that, in seconds. Null: nobody knows. */
  readonly age: number | null
  /** CLUSTER_COPY_AGE */
  readonly mostAge: number
  /** The copy is too old: stanzas of the cluster grant nothing. */
  readonly outdated: boolean
  /** The node that made this version, and when: RFC 3339. Absent: not known since the start. */
  readonly by?: string
  readonly at?: string
  /** Why it is not in sync. */
  readonly why?: string
}

type EditFailure = Failure<'CLUSTER_USERS_REFUSED' | 'CLUSTER_USERS_WENT_BACK'>

export class ClusterUsers {
  readonly #parts: ClusterUsersParts
  readonly #view = new UsersView()
  #seen: Seen | undefined
  #text = ''
  #stanzas = 0
  /** What is in force here, as etcd has it. */
  #current: Roster | undefined
  #listed = false
  /** Why what etcd shows is not taken. */
  #problem: EditFailure | undefined
  /** Why the copy is not in force. */
  #refused: string | undefined
  /** Monotonic: when the copy was last the newest. */
  #freshAt: number | undefined
  #keptAt: number
  #wasOutdated = false
  #apply: ApplyCopy | undefined
  #ended = new Set<StanzaName>()
  #applying: Promise<void> | undefined
  #isDue = false
  readonly #waiting = new Set<(taken: Roster) => void>()
  #timer: NodeJS.Timeout | undefined
  #edits: Promise<unknown> = Promise.resolve()

  constructor(parts: ClusterUsersParts) {
    this.#parts = parts
    const { records, copy, log } = parts
    this.#keptAt = monotonic()
    const kept = copy.read()
    if (!kept.ok) log.write('error', 'cluster users', { code: kept.failure.code, detail: kept.failure.detail })
    else if (kept.value !== undefined) {
      this.#seen = kept.value.seen
      this.#text = kept.value.text
      this.#stanzas = stanzaTexts(this.#text).length
      const syncedAt = copy.syncedAt()
      if (syncedAt > 0) this.#freshAt = this.#keptAt - Math.max(0, Date.now() - syncedAt * 1000)
    }
    records.on('users', {
      onRecord: (id, value) => {
        if (this.#view.take(id, value, monotonic()) && this.#listed) this.#consider()
      },
      onRemoved: (id) => {
        this.#view.remove(id)
        if (this.#listed) this.#consider()
      },
      onListed: () => {
        this.#listed = true
        this.#consider()
      },
      onFollowing: () => this.#tick(),
    })
  }

  begin(apply: ApplyCopy): void {
    this.#apply = apply
    this.#timer = setInterval(() => this.#tick(), TICK).unref()
    if (this.#isDue) void this.#applyNow()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#keep()
  }

  /** Why stanzas of the cluster grant nothing now. */
  copyOld(): string | undefined {
    // A file of stanzas that is not as this server writes it.
    if (this.#seen === undefined) return 'this node does not know of which version its users of the cluster are'
    if (!this.#isOutdated()) return undefined
    const age = this.#age()
    const ago = age === undefined ? 'a time that is not known' : showAge(age)
    return `this node last had the newest users of the cluster ${ago} ago, and CLUSTER_COPY_AGE is ${this.#parts.copyAge} s`
  }

  /** @param usable how many of the stanzas this node uses. */
  status(usable: number): ClusterUsersStatus {
    const age = this.#age()
    const why = this.#whyNotInSync()
    const { node, at } = this.#current ?? {}
    return {
      ...{ version: this.#seen?.version ?? 0, stanzas: this.#stanzas },
      leftOut: Math.max(0, this.#stanzas - usable),
      ...{ inSync: why === undefined, age: age === undefined ? null : Math.floor(age / 1000) },
      ...{ mostAge: this.#parts.copyAge, outdated: this.#seen !== undefined && this.#isOutdated() },
      ...(node !== undefined && at !== undefined && { by: node, at: new Date(at * 1000).toISOString() }),
      ...(why !== undefined && { why }),
    }
  }

  /** One change after the other. @returns the version that has it; why nothing has changed, or may not have. */
  edit(changes: readonly StanzaChange[]): Promise<Result<{ readonly version: number }, EditFailure>> {
    return this.#queued(() => this.#edit(changes))
  }

  /** This node’s copy becomes the newest state. What etcd shows does not count. */
  publishCopy(): Promise<Result<{ readonly version: number }, EditFailure>> {
    return this.#queued(() => this.#publishCopy())
  }

  #queued<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#edits.then(work)
    this.#edits = next.catch(() => {})
    return next
  }

  async #edit(changes: readonly StanzaChange[]): Promise<Result<{ readonly version: number }, EditFailure>> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const why = this.#whyNotInSync()
      if (why !== undefined) return this.#cannot(why)
      const { top } = this.#view
      const pages = top === undefined ? [] : this.#view.pagesOf(top)
      if (pages === undefined) return this.#cannot('some pages of its users are missing')
      const changed = changePages(pages, changes)
      if (!changed.ok) return changed
      const made = await this.#publish(changed.value, top, [])
      if (made !== 'again') return made
    }
    return this.#cannot('other nodes change its users all the time: try again')
  }

  async #publishCopy(): Promise<Result<{ readonly version: number }, EditFailure>> {
    const seen = this.#seen
    if (seen === undefined) return this.#cannot('this node has no copy of its users')
    const why = this.#whyCut()
    if (why !== undefined) return this.#cannot(why)
    const pages = onPages(stanzaTexts(this.#text).map(({ text }) => text))
    if (!pages.ok) return pages
    // So far above it that it is newer also for nodes that were away, and have a version in between.
    const own: Roster = { ...seen, version: seen.version + MOST_RECENT, node: '', at: 0, pages: [], recent: [] }
    const made = await this.#publish(pages.value, own, this.#view.rosters)
    return made === 'again' ? this.#cannot('another node was first: look at “ghostport status”') : made
  }

  /** First the pages, then the roster that names them: its number can be given once. */
  async #publish(
    pages: readonly PageOfStanzas[],
    before: Roster | undefined,
    others: readonly Roster[],
  ): Promise<Result<{ readonly version: number }, EditFailure> | 'again'> {
    const { records, node } = this.#parts
    const written: string[] = []
    const lost: string[] = []
    await Promise.all(
      pages.map(async ({ id, stanzas }, i) => {
        const own = id ?? randomId()
        written[i] = own
        const why = id === undefined ? await records.put(nameOf(`page/${own}`), { stanzas }) : undefined
        if (why !== undefined) lost.push(why)
      }),
    )
    if (lost[0] !== undefined) return this.#cannot(lost[0])
    const made = { id: randomId(), node, at: Math.floor(Date.now() / 1000), pages: written }
    const roster = nextRoster(before, made, others)
    const taken = this.#nextTaken(roster.version)
    const why = await records.create(nameOf(`roster/${roster.version}`), roster)
    const told = await (why === undefined ? taken : Promise.race([taken, soon()]))
    if (told?.id === roster.id || told?.recent.includes(roster.id)) {
      this.#tidy(roster)
      return this.#refused === undefined
        ? ok({ version: roster.version })
        : this.#cannot(`all nodes have the change, but it is not in force at this one: ${this.#refused}`)
    }
    if (told !== undefined) return 'again'
    return this.#cannot(why ?? 'etcd did not show the change in time: “ghostport user list” tells whether it was made')
  }

  /** @returns the next roster from this version on that comes into force here; undefined after some time. */
  #nextTaken(version: number): Promise<Roster | undefined> {
    return new Promise((resolve) => {
      const end = (roster?: Roster): void => {
        // The one before it may still be on its way into force.
        if (roster !== undefined && roster.version < version) return
        clearTimeout(timer)
        this.#waiting.delete(end)
        resolve(roster)
      }
      const timer = setTimeout(() => end(), TAKEN_WITHIN)
      this.#waiting.add(end)
    })
  }

  /** Nothing depends on it: what stays is removed after another change. */
  #tidy(roster: Roster): void {
    const before = this.#view.rosters
      .filter(({ version }) => version < roster.version)
      .toSorted((a, b) => b.version - a.version)
    const kept = [roster, ...before.slice(0, 1)]
    for (const id of this.#view.waste(kept, monotonic() - UNFINISHED)) void this.#parts.records.remove(nameOf(id))
  }

  /** Looks at what etcd shows, and takes it if it is newer and complete. */
  #consider(): void {
    const { top } = this.#view
    if (top === undefined) {
      this.#cannotTake(this.#seen && 'it has no users any more')
      return
    }
    switch (judgeRoster(this.#seen, top)) {
      case 'same':
        this.#current = top
        this.#cannotTake(undefined)
        return
      case 'newer':
        this.#take(top)
        return
      case 'older':
        this.#cannotTake(`it has version ${top.version}`)
        return
      case 'forked':
        this.#cannotTake(`its version ${top.version}, by ${top.node}, does not follow it`)
        return
    }
  }

  /** @param shown what etcd shows instead; undefined: nothing is wrong. */
  #cannotTake(shown: string | undefined): void {
    if (shown === undefined) {
      this.#problem = undefined
      this.#tick()
      return
    }
    const detail = `this node has version ${this.#seen?.version} of the users of the cluster, and etcd was put back: ${shown}`
    if (this.#problem?.detail === detail) return
    this.#problem = refuse('CLUSTER_USERS_WENT_BACK', detail, { suggestion: 'ghostport user publish --copy' }).failure
    this.#parts.log.write('error', 'cluster users', { code: this.#problem.code, detail })
  }

  #take(roster: Roster): void {
    const pages = this.#view.pagesOf(roster)
    if (pages === undefined) {
      const detail = `version ${roster.version} of its users is not complete`
      this.#problem = refuse('CLUSTER_USERS_REFUSED', detail).failure
      return
    }
    const { copy, log } = this.#parts
    const stanzas = pages.flatMap((page) => page.stanzas)
    const seen = { version: roster.version, id: roster.id }
    const written = copy.write(seen, stanzas)
    if (!written.ok) {
      this.#problem = refuse('CLUSTER_USERS_REFUSED', written.failure.detail).failure
      log.write('error', 'cluster users', { code: written.failure.code, detail: written.failure.detail })
      return
    }
    const text = written.value
    for (const name of endedUsers(this.#text, text)) this.#ended.add(name)
    this.#text = text
    this.#stanzas = stanzas.length
    this.#seen = seen
    this.#current = roster
    this.#problem = undefined
    log.write('info', 'cluster users', { version: roster.version, by: roster.node, stanzas: stanzas.length })
    this.#isDue = true
    void this.#applyNow()
  }

  /** What comes meanwhile is put into force together. */
  #applyNow(): Promise<void> {
    this.#applying ??= this.#applyAll().finally(() => {
      this.#applying = undefined
    })
    return this.#applying
  }

  async #applyAll(): Promise<void> {
    while (this.#isDue && this.#apply !== undefined && this.#current !== undefined) {
      const roster = this.#current
      const ended = [...this.#ended]
      // Others may be added meanwhile, by a newer roster: these are for the next turn.
      this.#ended.clear()
      this.#isDue = false
      this.#refused = await this.#apply(roster, ended)
      if (this.#refused === undefined) this.#tick()
      else for (const name of ended) this.#ended.add(name)
      for (const taken of this.#waiting) taken(roster)
    }
  }

  #tick(): void {
    const now = monotonic()
    if (this.#whyNotInSync() === undefined) {
      this.#freshAt = now
      if (now - this.#keptAt > KEEP_EVERY) this.#keep()
    } else if (this.#refused !== undefined && now - this.#keptAt > KEEP_EVERY) {
      // An administrator may have mended this node’s own files.
      this.#keptAt = now
      this.#isDue = true
      void this.#applyNow()
    } else if (this.#problem?.code === 'CLUSTER_USERS_REFUSED' && this.#listed && now - this.#keptAt > KEEP_EVERY) {
      // The disk may have room again, and nobody tells the roster a second time.
      this.#keptAt = now
      this.#consider()
    }
    const isOutdated = this.#seen !== undefined && this.#isOutdated()
    if (isOutdated === this.#wasOutdated) return
    this.#wasOutdated = isOutdated
    const { log } = this.#parts
    if (isOutdated)
      log.write('error', 'cluster users', { code: 'CLUSTER_USERS_OUTDATED', detail: this.copyOld() ?? '' })
    else
      log.write('info', 'cluster users', {
        detail: 'the copy is as new as it must be',
        version: this.#seen?.version ?? 0,
      })
  }

  #keep(): void {
    if (this.#freshAt === undefined) return
    this.#keptAt = monotonic()
    const syncedAt = Math.floor((Date.now() - (this.#keptAt - this.#freshAt)) / 1000)
    const kept = this.#parts.copy.keepSyncedAt(Math.max(0, syncedAt))
    if (!kept.ok)
      this.#parts.log.write('warning', 'cluster users', { code: kept.failure.code, detail: kept.failure.detail })
  }

  #age(): number | undefined {
    return this.#freshAt === undefined ? undefined : Math.max(0, monotonic() - this.#freshAt)
  }

  #isOutdated(): boolean {
    const age = this.#age()
    return age === undefined || age > this.#parts.copyAge * 1000
  }

  #whyCut(): string | undefined {
    const { following, why } = this.#parts.records.status()
    if (!this.#listed) return 'etcd has not shown its users yet'
    return following ? undefined : (why ?? 'etcd does not answer')
  }

  #whyNotInSync(): string | undefined {
    const refused = this.#refused
    return this.#problem?.detail ?? this.#whyCut() ?? (refused && `the newest copy is not in force here: ${refused}`)
  }

  #cannot(why: string): Result<never, EditFailure> {
    if (this.#problem?.code === 'CLUSTER_USERS_WENT_BACK') return { ok: false, failure: this.#problem }
    return refuse('CLUSTER_USERS_REFUSED', `users of the cluster cannot be changed now: ${why}`)
  }
}

function nameOf(text: string): RecordName {
  const id = recordId(text)
  if (id === undefined) throw new Error(`${text} is no id of a record`)
  return { kind: 'users', id }
}

/** What was written all the same is told by then, and what another node wrote. */
function soon(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), TOLD_WITHIN))
}

function randomId(): string {
  return randomBytes(12).toString('base64url')
}

function showAge(age: number): string {
  const minutes = Math.round(age / 60_000)
  if (minutes < 120) return `${minutes} minutes`
  const hours = Math.round(minutes / 60)
  return hours < 72 ? `${hours} hours` : `${Math.round(hours / 24)} days`
}
