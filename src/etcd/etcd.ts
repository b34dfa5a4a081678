/**
 * A client of an etcd cluster. It asks the members in turn until one answers, so what is asked must be good to be done
 * twice: each caller says why its request is.
 */
import { mapped, printableAscii, record, text } from '../json-reader.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import { type EtcdAccess, type EtcdAnswer, type EtcdCalls, etcdCalls } from './call.ts'
import { GRPC_STATUS } from './grpc-status.ts'
import type { Fields } from './message-type.ts'
import type { EtcdMethod } from './messages.ts'
import type { EtcdMember } from './sessions.ts'

/** An answer takes 2 to 4 ms. After this time it is late, and may never come: its member is gone, or has lost it. */
const LATE_AFTER = milliseconds(300)
/**
 * How often a late request is sent once more: one of them, for all. A member forwards a change to the leader that it
 * knows; if that one has just died, the change is lost. If the second request is answered well, all late ones are sent
 * again. Else etcd is busy, and more requests would make it worse.
 */
const SECOND_EVERY = milliseconds(400)
/** All members failed: before they are asked once more. */
const NEXT_ROUND_AFTER = milliseconds(100)
const SHORTEST_TRY = milliseconds(50)
/** Of a token that is not good any more. etcd 3.4 says the second. */
const TOKEN_CODES: ReadonlySet<number> = new Set([GRPC_STATUS.unauthenticated, GRPC_STATUS.invalidArgument])
/** A token becomes a field of a request’s head. */
const readToken = record({ token: printableAscii({ max: 4096 }) }, {})
/** How long a member may take to say who leads. */
const STATUS_LIMIT = milliseconds(1000)
const memberId = mapped(text({ max: 20 }), (read) => (/^[1-9][0-9]{0,19}$/.test(read) ? read : undefined))
const readStatus = record({ own: memberId, leader: memberId }, {})

export interface Etcd {
  /**
   * Never rejects. @param limit for all tries together.
   * @returns `silence` if no member answered in time. It may still be done later.
   */
  ask(method: EtcdMethod, body: Fields, limit: Milliseconds): Promise<EtcdAnswer>
  /**
   * Follows an answer without an end. Its member is asked something each second: if it does not answer, or what it
   * answers is refused by `onPulse`, this ends. Never rejects.
   * @returns why it has ended. The next one follows the next member.
   */
  follow(method: EtcdMethod, body: Fields, options: FollowOptions): Promise<string>
  /**
   * Finds the member that leads. It is asked first from now on: each other member would pass changes on to it. Where
   * none says that it leads, nothing changes.
   */
  preferLeader(limit: Milliseconds): Promise<void>
  close(): void
}

export interface FollowOptions {
  readonly onValue: (value: Fields) => void
  /** The body for `KV/Range`: a read that needs a quorum. */
  readonly pulse: Fields
  /** @returns why this member is not followed any more. */
  readonly onPulse: (answer: unknown) => string | undefined
  readonly signal: AbortSignal
}

const PULSE_EVERY = milliseconds(1000)
const PULSE_LIMIT = milliseconds(1500)

/** @param calls the way to one member; for tests. */
export function openEtcd(access: EtcdAccess, calls: EtcdCalls = etcdCalls(access)): Etcd {
  const { members, login } = access
  /** The member that answered last is asked first. */
  let best = 0
  let token: string | undefined
  /** The one that etcd took last is the first. */
  let passwords: readonly [string | undefined, string | undefined] = [login?.password, login?.next]
  /** When a late request was last sent once more, and what sends the others. */
  let lastSecond = Number.NEGATIVE_INFINITY
  const late = new Set<() => void>()

  /** The member that is followed. */
  let followed = 0

  return { ask, follow, preferLeader, close: () => calls.close() }

  async function follow(method: EtcdMethod, body: Fields, options: FollowOptions): Promise<string> {
    const { onValue, pulse, onPulse, signal } = options
    if (login !== undefined) {
      // Its token may be old: a stream needs one at its beginning only.
      const refused = await logIn(performance.now() + PULSE_LIMIT)
      if (refused !== undefined) return refused.why
    }
    const member = members[followed++ % members.length]
    if (member === undefined || signal.aborted) return 'not needed any more'
    const own = new AbortController()
    const onAbort = (): void => own.abort()
    signal.addEventListener('abort', onAbort)
    let ended: string | undefined
    const look = async (): Promise<void> => {
      const answer = await calls.call(member, 'KV/Range', pulse, { limit: PULSE_LIMIT, token, signal: own.signal })
      if (own.signal.aborted) return
      ended = answer.kind === 'silence' ? answer.why : answer.kind === 'answer' ? onPulse(answer.value) : undefined
      if (ended === undefined) timer = setTimeout(() => void look(), PULSE_EVERY)
      else own.abort()
    }
    let timer = setTimeout(() => void look(), PULSE_EVERY)
    const why = await calls.stream(member, method, body, { token, signal: own.signal, onValue })
    clearTimeout(timer)
    own.abort()
    signal.removeEventListener('abort', onAbort)
    return ended ?? why
  }

  /** The member that is asked first is also asked first whether it leads: mostly it does. */
  async function preferLeader(limit: Milliseconds): Promise<void> {
    const first = best
    for (let i = 0; i < members.length; i++) {
      const index = (first + i) % members.length
      const member = members[index]
      if (member === undefined || !(await leads(member, milliseconds(Math.min(limit, STATUS_LIMIT))))) continue
      best = index
      return
    }
  }

  async function leads(member: EtcdMember, limit: Milliseconds): Promise<boolean> {
    const answer = await calls.call(member, 'Maintenance/Status', {}, { limit, token })
    if (answer.kind !== 'answer') return false
    const { header, leader } = answer.value as { readonly header?: unknown; readonly leader?: unknown }
    const read = readStatus({ own: (header as { readonly member_id?: unknown } | undefined)?.member_id, leader })
    return read !== undefined && read.own === read.leader
  }

  async function ask(method: EtcdMethod, body: Fields, limit: Milliseconds): Promise<EtcdAnswer> {
    const until = performance.now() + limit
    if (login === undefined) return await askMembers(method, body, until)
    const hadToken = token !== undefined
    if (!hadToken) {
      const refused = await logIn(until)
      if (refused !== undefined) return refused
    }
    const answer = await askMembers(method, body, until)
    // Tokens end after some minutes.
    if (!hadToken || answer.kind !== 'refused' || !TOKEN_CODES.has(answer.code)) return answer
    token = undefined
    return await ask(method, body, milliseconds(Math.max(0, until - performance.now())))
  }

  /** @returns why not. */
  async function logIn(until: number): Promise<Exclude<EtcdAnswer, { kind: 'answer' }> | undefined> {
    // Others may log in meanwhile.
    const [first, second] = passwords
    let answer = await logInWith(first, until)
    if (answer.kind === 'refused' && second !== undefined) {
      const other = await logInWith(second, until)
      if (other.kind === 'answer') passwords = [second, first]
      if (other.kind !== 'refused') answer = other
    }
    if (answer.kind !== 'answer') return answer
    const { token: got } = answer.value as { readonly token?: unknown }
    const read = readToken({ token: got })
    if (read === undefined) return { kind: 'silence', why: 'a login without a token' }
    token = read.token
    return undefined
  }

  async function logInWith(password: string | undefined, until: number): Promise<EtcdAnswer> {
    return await askMembers('Auth/Authenticate', { name: login?.user, password }, until)
  }

  async function askMembers(method: EtcdMethod, body: Fields, until: number): Promise<EtcdAnswer> {
    let last: EtcdAnswer = { kind: 'silence', why: 'no time is left' }
    for (let round = 0; ; round++) {
      // The reason of a whole try says more than that of one with no time.
      if (until - performance.now() < (round === 0 ? 0 : NEXT_ROUND_AFTER + SHORTEST_TRY)) return last
      if (round > 0) await new Promise((resolve) => setTimeout(resolve, NEXT_ROUND_AFTER))
      const answer = await oneRound(method, body, until)
      if (answer.kind !== 'silence') return answer
      last = answer
    }
  }

  /**
   * Each member: the next as soon as the one before failed, or if no answer came for a while; then again. The first
   * answer counts.
   */
  function oneRound(method: EtcdMethod, body: Fields, until: number): Promise<EtcdAnswer> {
    return new Promise((resolve) => {
      const first = best
      const enough = new AbortController()
      let isEnough = false
      let begun = 0
      let silent = 0
      let why = 'no time is left'
      let timer: NodeJS.Timeout | undefined
      const finish = (answer: EtcdAnswer): void => {
        clearTimeout(timer)
        late.delete(again)
        resolve(answer)
        isEnough = true
        // Mostly nothing else is under way, and to abort makes an error with its stack.
        if (begun > 1) enough.abort()
      }
      const begin = (index: number, isSecond: boolean): void => {
        const member = members[index]
        const began = performance.now()
        const left = until - began
        if (member === undefined || isEnough || (begun >= members.length && left < SHORTEST_TRY)) return
        begun++
        const limit = milliseconds(Math.max(1, left))
        void calls.call(member, method, body, { limit, token, signal: enough.signal }).then((answer) => {
          if (isEnough) return
          if (answer.kind !== 'silence') {
            best = index
            finish(answer)
            // etcd is well, and the others wait for what is lost.
            if (isSecond && performance.now() - began < LATE_AFTER) for (const other of [...late]) other()
            return
          }
          ;({ why } = answer)
          silent++
          if (begun < members.length) begin((first + begun) % members.length, isSecond)
          else if (silent === begun) finish({ kind: 'silence', why })
        })
      }
      const again = (): void => {
        late.delete(again)
        begin(best, false)
      }
      const onLate = (): void => {
        if (performance.now() >= until) return
        late.add(again)
        const early = lastSecond + SECOND_EVERY - performance.now()
        if (early <= 0) {
          lastSecond = performance.now()
          begin((first + begun) % members.length, true)
        }
        timer = setTimeout(onLate, early <= 0 ? SECOND_EVERY : early)
      }
      timer = setTimeout(onLate, LATE_AFTER)
      begin(first, false)
    })
  }
}
