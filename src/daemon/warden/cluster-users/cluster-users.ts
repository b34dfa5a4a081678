/**
 * The users of the cluster at this node (CLUSTER_USERS): takes each newer roster, keeps a copy of its stanzas, has the
 * configuration read again, and makes changes that “ghostport user” asks for. It never goes back behind what it took,
 * also after a restart. How old the copy may be is bounded: after that, stanzas of the cluster grant nothing.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { StanzaName } from '../../../access/stanza-name.ts'
import { monotonic } from '../../../clock.ts'
import { type RecordName, recordId } from '../../../cluster-record/record-name.ts'
import { endedUsers } from '../../../cluster-users/ended.ts'
import { changePages, onPages, type PageOfStanzas, type StanzaChange } from '../../../cluster-users/pages.ts'
import { judgeRoster, MOST_RECENT, nextRoster, type Roster, type Seen } from '../../../cluster-users/roster.ts'
import { marked } from '../../../cluster-users/since.ts'
import { stanzaTexts } from '../../../config/access/cluster-blocks.ts'
import type { Log } from '../../../log.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { type Milliseconds, milliseconds, type Seconds } from '../../../units.ts'
import { STATE_LINES } from '../cluster-process/limits.ts'
import type { Records } from '../cluster-process/records.ts'
import { StateLines } from '../state-lines.ts'
import type { CopyFile } from './copy-file.ts'
import { Endings, type EndUsers } from './endings.ts'
import { UsersView } from './view.ts'

const TICK = milliseconds(1000)
/** A crash of the host may lose what was learned in this time: the copy then looks older than it is. */
const KEEP_EVERY = milliseconds(60_000)
/** Until the change that this node made is told by etcd. */
const TAKEN_WITHIN = milliseconds(15_000)
/** The same, where etcd did not say that it was made. */
const TOLD_WITHIN = milliseconds(2000)
const ATTEMPTS = 8
/** Before the next one: random, so that two nodes that change users do not meet again. */
const MOST_PAUSE = milliseconds(250)
/** Pages that no roster names for so long belong to a change that was not finished. */
const UNFINISHED = milliseconds(600_000)

export interface ClusterUsersParts {
  readonly records: Pick<Records, 'on' | 'put' | 'create' | 'remove' | 'status' | 'unreadable'>
  readonly copy: CopyFile
  /** The name of this node. */
  readonly node: string
  /** CLUSTER_COPY_AGE */
  readonly copyAge: Seconds
  readonly log: Log
  /** Until a copy that could not be written, or is not in force, is tried again. Absent: a minute. */
  readonly again?: Milliseconds
}

/** Puts a new copy into force. @returns why it is not in force. */
export type ApplyCopy = (from: Roster) => Promise<string | undefined>

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
  /** Monotonic: when all that etcd has was last told. */
  #listedAt: number | undefined
  /** Why what etcd shows is not taken. */
  #problem: EditFailure | undefined
  /** Why the copy is not in force. */
  #refused: string | undefined
  /** Monotonic: when the copy was last the newest. */
  #freshAt: number | undefined
  #keptAt: number
  #wasOutdated = false
  readonly #lines: StateLines<EditFailure>
  #apply: ApplyCopy | undefined
  #endings: Endings | undefined
  /** Users that end when the next copy is in force. */
  #ended = new Set<StanzaName>()
  /** Those of the copy that is being put into force. */
  #ending: readonly StanzaName[] = []
  /** Whether the file of the state names some. */
  #isEndNoted = false
  #applying: Promise<void> | undefined
  #isDue = false
  readonly #waiting = new Set<(taken: Roster) => void>()
  #timer: NodeJS.Timeout | undefined
  #edits: Promise<unknown> = Promise.resolve()

  constructor(parts: ClusterUsersParts) {
    this.#parts = parts
    const { records, copy, log } = parts
    this.#lines = new StateLines(STATE_LINES, ({ code, detail }, more) =>
      log.write('error', 'cluster users', { code, detail, ...more }),
    )
    this.#keptAt = monotonic()
    const kept = copy.read()
    if (!kept.ok) log.write('error', 'cluster users', { code: kept.failure.code, detail: kept.failure.detail })
    else if (kept.value !== undefined) {
      this.#seen = kept.value.seen
      this.#text = kept.value.text
      this.#stanzas = stanzaTexts(this.#text).length
      const { syncedAt, ended = [] } = copy.state()
      // The server ended before it could put the copy into force.
      this.#ended = new Set(ended)
      this.#isDue = ended.length > 0
      this.#isEndNoted = this.#isDue
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
        this.#listedAt = monotonic()
        this.#consider()
      },
      onFollowing: () => this.#tick(),
    })
  }

  begin(apply: ApplyCopy, end: EndUsers): void {
    const { log, again } = this.#parts
    this.#apply = apply
    const onNone = (): void => {
      if (this.#isEndNoted && this.#ended.size === 0 && this.#ending.length === 0) this.#keep()
    }
    this.#endings = new Endings({ end, onNone, log, ...(again !== undefined && { again }) })
    this.#timer = setInterval(() => this.#tick(), TICK).unref()
    if (this.#isDue) void this.#applyNow()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#endings?.close()
    this.#lines.forget()
    this.#keep()
  }

  /** Why stanzas of the cluster grant nothing now. */
  copyOld(): string | undefined {
    // A file of stanzas that is not as this server writes it.
    if (this.#seen === undefined) return 'this node does not know of which version its users of the cluster are'
    if (!this.#isOutdated()) return undefined
    const age = this.#age()
    if (age === undefined) return 'it is not known when this node last had the newest users of the cluster'
    return `this node last had the newest users of the cluster ${showAge(age)} ago, and CLUSTER_COPY_AGE is ${this.#parts.copyAge} s`
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
      if (this.#problem?.code === 'CLUSTER_USERS_WENT_BACK') return { ok: false, failure: this.#problem }
      const why = this.#whyNotInSync()
      if (why !== undefined) return this.#cannot(why)
      const { top } = this.#view
      const pages = top === undefined ? [] : this.#view.pagesOf(top)
      if (pages === undefined) return this.#cannot('some pages of its users are missing')
      const changed = changePages(pages, marked(changes, new Date().toISOString()))
      if (!changed.ok) return changed
      // All is as the command took it to be, and nothing is to be written.
      const isUnchanged = changed.value.length === pages.length && changed.value.every(({ id }) => id !== undefined)
      if (top !== undefined && isUnchanged) return ok({ version: top.version })
      const made = await this.#publish(changed.value, top, [])
      if (made !== 'again') return made
      await delay(Math.random() * MOST_PAUSE * (attempt + 1))
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
    // So far above it that it is newer for each node that has this version or an earlier one. The ids do not matter.
    // A node with a later one knows of a change that this copy lacks, and does not take it.
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
    const written = pages.map(({ id }) => id ?? randomId())
    const made = { id: randomId(), node, at: Math.floor(Date.now() / 1000), pages: written }
    const roster = nextRoster(before, made, others, this.#closedVersions())
    // From now on: that of another node may come into force while the pages are written.
    const taken = this.#nextTaken(roster.version)
    /** No roster names them, and none will. */
    const drop = (): void => {
      for (const [i, { id }] of pages.entries()) if (id === undefined) void records.remove(nameOf(`page/${written[i]}`))
    }
    const lost = await Promise.all(
      pages.map(async ({ id, stanzas }, i) =>
        id === undefined ? await records.put(nameOf(`page/${written[i]}`), { stanzas }) : undefined,
      ),
    )
    const unwritten = lost.find((why) => why !== undefined)
    if (unwritten !== undefined) {
      drop()
      return this.#cannot(unwritten)
    }
    const why = await records.create(nameOf(`roster/${roster.version}`), roster)
    const told = await (why === undefined ? taken : Promise.race([taken, soon()]))
    if (told?.id === roster.id || told?.recent.includes(roster.id)) {
      this.#tidy(roster)
      return this.#refused === undefined
        ? ok({ version: roster.version })
        : this.#cannot(`all nodes have the change, but it is not in force at this one: ${this.#refused}`)
    }
    if (told !== undefined) {
      drop()
      return 'again'
    }
    return this.#cannot(why ?? 'etcd did not show the change in time: “ghostport user list” tells whether it was made')
  }

  /** Versions that somebody with another secret has given. */
  #closedVersions(): ReadonlySet<number> {
    const ids = this.#parts.records.unreadable('users')
    return new Set(ids.flatMap((id) => (/^roster\/[0-9]{1,15}$/.test(id) ? [Number(id.slice('roster/'.length))] : [])))
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
      if (this.#seen === undefined && this.#closedVersions().size > 0) this.#cannotOpen()
      else this.#cannotTake(this.#seen && 'it has no users any more')
      return
    }
    switch (judgeRoster(this.#seen, top)) {
      case 'same':
        this.#current = top
        if (this.#refused === undefined) this.#isFreshAt(this.#listedAt)
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
      this.#isWell()
      this.#tick()
      return
    }
    const detail = `this node has version ${this.#seen?.version} of the users of the cluster, and etcd was put back: ${shown}`
    if (this.#problem?.detail === detail) return
    this.#problem = refuse('CLUSTER_USERS_WENT_BACK', detail, { suggestion: 'ghostport user publish --copy' }).failure
    this.#lines.tell(this.#problem)
  }

  /** A change here would begin other users beside those of the other nodes. */
  #cannotOpen(): void {
    const detail =
      'etcd has users of this cluster that cannot be opened here: this node has another CLUSTER_SECRET_FILE than those who ' +
      'wrote them. Where nobody needs them any more: etcdctl del --prefix ghostport/NAME/records/users/'
    if (this.#problem?.detail === detail) return
    this.#problem = refuse('CLUSTER_USERS_REFUSED', detail).failure
    this.#lines.tell(this.#problem)
  }

  #isWell(): void {
    this.#problem = undefined
    this.#lines.forget()
  }

  #isFreshAt(at: number | undefined): void {
    if (at !== undefined) this.#freshAt = Math.max(at, this.#freshAt ?? at)
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
    const text = copy.text(seen, stanzas)
    const ended = endedUsers(this.#text, text)
    // First: after a crash, the copy does not tell who was in it before.
    const noted = ended.length === 0 ? ok(undefined) : this.#note(ended)
    const written = noted.ok ? copy.write(text) : noted
    if (!written.ok) {
      this.#problem = refuse('CLUSTER_USERS_REFUSED', written.failure.detail).failure
      log.write('error', 'cluster users', { code: written.failure.code, detail: written.failure.detail })
      return
    }
    for (const name of ended) this.#ended.add(name)
    this.#text = text
    this.#stanzas = stanzas.length
    this.#seen = seen
    this.#current = roster
    this.#isWell()
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
    while (this.#isDue && this.#apply !== undefined) {
      const roster = this.#current ?? this.#kept()
      if (roster === undefined) return
      const ended = [...this.#ended]
      // Others may be added meanwhile, by a newer roster: these are for the next turn.
      this.#ended.clear()
      this.#ending = ended
      this.#isDue = false
      this.#refused = await this.#apply(roster)
      this.#ending = []
      let done = Promise.resolve()
      if (this.#refused === undefined) {
        // A newer copy does not wait for it.
        done = this.#endings?.end(roster.node, ended) ?? done
        // Told by the list, before each change is told.
        if (this.#problem === undefined) this.#isFreshAt(this.#listedAt)
        this.#tick()
      } else for (const name of ended) this.#ended.add(name)
      // Who made the change waits for both.
      void done.then(() => {
        for (const taken of this.#waiting) taken(roster)
      })
    }
  }

  #tick(): void {
    const now = monotonic()
    const isDue = now - this.#keptAt > (this.#parts.again ?? KEEP_EVERY)
    if (this.#whyNotInSync() === undefined) {
      this.#freshAt = now
      if (now - this.#keptAt > KEEP_EVERY) this.#keep()
    } else if (this.#refused !== undefined && isDue) {
      // An administrator may have mended this node’s own files.
      this.#keptAt = now
      this.#isDue = true
      void this.#applyNow()
    } else if (this.#problem?.code === 'CLUSTER_USERS_REFUSED' && this.#listed && isDue) {
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
    if (this.#freshAt === undefined && !this.#isEndNoted) return
    this.#keptAt = monotonic()
    const kept = this.#note([])
    if (!kept.ok)
      this.#parts.log.write('warning', 'cluster users', { code: kept.failure.code, detail: kept.failure.detail })
  }

  /** @param more users that end with the copy that is about to be written. */
  #note(more: readonly StanzaName[]): Result<void> {
    const now = monotonic()
    const at = this.#freshAt === undefined ? 0 : Math.floor((Date.now() - (now - this.#freshAt)) / 1000)
    const ended = [...new Set([...(this.#endings?.left ?? []), ...this.#ending, ...this.#ended, ...more])]
    const syncedAt = Math.max(0, at)
    const kept = this.#parts.copy.keepState({ syncedAt, ...(ended.length > 0 && { ended }) })
    if (kept.ok) this.#isEndNoted = ended.length > 0
    return kept
  }

  /** What this node has, before etcd shows anything. */
  #kept(): Roster | undefined {
    return this.#seen && { ...this.#seen, node: this.#parts.node, at: 0, pages: [], recent: [] }
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
