/** Who is logged in: in memory only. A session ends by logout, after a pause, after its time, and with the process. */
import { createHash, randomBytes } from 'node:crypto'
import type { Brand, Milliseconds } from '../../units.ts'
import { milliseconds } from '../../units.ts'
import type { LoggedIn } from './login.ts'

/** What the cookie holds: 256 random bits. */
export type SessionId = Brand<string, 'SessionId'>

export interface Session extends LoggedIn {
  /** In each form: a page of another site cannot know it. */
  readonly token: string
  /** What the last action did, to be shown once. */
  news: string | undefined
}

const LONGEST_PAUSE = milliseconds(5 * 60_000)
const LONGEST = milliseconds(15 * 60_000)
const MOST = 1_000

export class Sessions {
  /** By the hash of the id: what is in memory opens nothing. */
  readonly #sessions = new Map<string, { readonly session: Session; readonly began: number; used: number }>()

  get size(): number {
    return this.#sessions.size
  }

  begin(who: LoggedIn, now: Milliseconds): SessionId {
    for (const [key, { began, used }] of this.#sessions)
      if (this.#sessions.size >= MOST || now - began > LONGEST || now - used > LONGEST_PAUSE) this.#sessions.delete(key)
    const id = randomBytes(32).toString('base64url') as SessionId
    const session = { ...who, token: randomBytes(32).toString('base64url'), news: undefined }
    this.#sessions.set(hash(id), { session, began: now, used: now })
    return id
  }

  of(id: string | undefined, now: Milliseconds): Session | undefined {
    const key = id === undefined ? '' : hash(id)
    const found = this.#sessions.get(key)
    if (found === undefined) return undefined
    if (now - found.began > LONGEST || now - found.used > LONGEST_PAUSE) {
      this.#sessions.delete(key)
      return undefined
    }
    found.used = now
    return found.session
  }

  end(id: string | undefined): void {
    if (id !== undefined) this.#sessions.delete(hash(id))
  }
}

function hash(id: string): string {
  return createHash('sha256').update(id).digest('hex')
}
