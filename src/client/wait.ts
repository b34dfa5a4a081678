/**
 * Waits for the door: tries a TCP port until it opens. A shut door does not answer, so the kernel would repeat a lost
 * first attempt only after a second. Therefore new attempts begin at growing intervals, and the first that succeeds
 * counts. An older attempt is cancelled before its handshake ends, so that the service sees one connection.
 *
 * A port that was open before the knock proves nothing about the knock. So one attempt for each address begins before
 * the packet leaves ({@link lookAtDoor}). Its SYN reaches the server before the packet. If that SYN is answered, the
 * port was open before, even if the answer arrives late.
 */
import { connect, type Socket } from 'node:net'
import type { IpAddress } from '../packet/address.ts'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'

/**
 * What counts as open: the port accepts a connection (`connect`), or the service behind it speaks first (`banner`).
 * `banner` distinguishes a ghost service from the web server whose port it shares: sshd greets at once, web servers
 * wait for a request.
 */
export type OpenSign = 'connect' | 'banner'

/** Where to connect to, and what counts as open. */
export interface Door {
  /** All are tried at the same time. */
  readonly addresses: readonly IpAddress[]
  readonly port: Port
  readonly sign: OpenSign
}

/** The connection that found the port open. */
export interface OpenDoor {
  readonly open: true
  /** It was open before the knock, so it is not known whether the server granted anything. */
  readonly already: boolean
  readonly address: IpAddress
  /** Since the knock; 0 if it was open before. */
  readonly after: Milliseconds
  /** Connected, half-open allowed, and paused. A banner that was read is given to its next reader again. */
  readonly socket: Socket
}

/** What one address answered. */
export interface AddressSeen {
  readonly address: IpAddress
  /** Number of resets. */
  readonly refused: number
  /** Connections that were accepted but sent nothing. */
  readonly mute: number
  /** Other answers, by the system's code: `EHOSTUNREACH`, `ENETUNREACH`, `EACCES`. */
  readonly errors: readonly string[]
}

/** The outcome of the attempts so far. */
export interface ClosedDoor {
  readonly open: false
  /** At all addresses. */
  readonly attempts: number
  /** One for each address of the door. */
  readonly seen: readonly AddressSeen[]
}

/** Attempts that began before the knock. */
export interface DoorLook {
  /** Ends the attempts, if there is no wait. */
  end(): void
}

/**
 * Intervals between attempts; the last one repeats. Waiting for a banner costs a whole connection, so those attempts
 * are fewer.
 */
const PACES: Readonly<Record<OpenSign, readonly Milliseconds[]>> = {
  connect: [1, 2, 4, 8, 16, 32, 64, 128, 250].map(milliseconds),
  banner: [3, 8, 20, 60, 160, 250].map(milliseconds),
}
/** Mute connections that are kept at the same time; the oldest is closed first. */
const MAX_MUTE = 6
/**
 * A look that is not accepted by then is given up. The kernel repeats its SYN after 1 s, which would be after the
 * knock.
 */
const LOOK_LIMIT = milliseconds(800)
/**
 * A service may greet a later connection sooner than an earlier one. So a banner may arrive while a connection from
 * before the knock is mute. Then the earlier one gets this many times as long as the other took, and a little more.
 */
const EARLY_BANNER_FACTOR = 4
const EARLY_BANNER_EXTRA = milliseconds(20)
const EARLY_BANNER_LIMIT = milliseconds(250)

/**
 * Makes one attempt for each address. Call it before the packet is sent, and hand the result to {@link waitForDoor}.
 * @param door which port, 1 to 65535, of which addresses, and what counts as open.
 * @returns the attempts. Where nothing is waited for, `end` them.
 * @example
 * ```ts
 * import { once } from 'node:events'
 * import { type AddressInfo, createServer } from 'node:net'
 * import { type Door, lookAtDoor, milliseconds, port, waitForDoor } from 'ghostport'
 * import { parseAddress } from 'ghostport/packet'
 *
 * const address = parseAddress('127.0.0.1')
 * if (!address.ok) throw new Error(address.failure.detail)
 * const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
 * await once(server, 'listening')
 * const { port: number } = server.address() as AddressInfo
 * const door: Door = { addresses: [address.value], port: port(number), sign: 'connect' }
 *
 * const look = lookAtDoor(door)
 * const outcome = await waitForDoor(door, performance.now(), milliseconds(5000), { look })
 * console.log(outcome.open && outcome.already) // true
 * if (outcome.open) outcome.socket.destroy()
 * server.close()
 * ```
 */
export function lookAtDoor(door: Door): DoorLook {
  const watch = new Watch(door)
  watch.look()
  return watch
}

/** Options of a wait, besides where and how long. */
export interface WaitTerms {
  /**
   * Attempts at the same port from before the knock. Without them, a port that was open before looks like one that the
   * knock opened.
   */
  readonly look?: DoorLook | undefined
  /** Ends the wait, like the limit. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Tries the port until it opens.
 * @param door which port, 1 to 65535, of which addresses, and what counts as open.
 * @param since when the knock was sent, on the clock of `performance.now()`, in milliseconds.
 * @param limit how long to try, from now, in milliseconds, at most 2^31 - 1.
 * @param terms what was seen before the knock, and what ends the wait.
 * @returns the first connection that counts; or what the addresses answered until the limit, or the signal.
 * @example
 * ```ts
 * import { once } from 'node:events'
 * import { type AddressInfo, createServer } from 'node:net'
 * import { type Door, milliseconds, port, waitForDoor } from 'ghostport'
 * import { parseAddress } from 'ghostport/packet'
 *
 * const address = parseAddress('127.0.0.1')
 * if (!address.ok) throw new Error(address.failure.detail)
 * const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
 * await once(server, 'listening')
 * const { port: number } = server.address() as AddressInfo
 * const door: Door = { addresses: [address.value], port: port(number), sign: 'connect' }
 *
 * const found = await waitForDoor(door, performance.now(), milliseconds(5000))
 * console.log(found.open && found.address) // 127.0.0.1
 * if (found.open) found.socket.destroy()
 * server.close()
 *
 * const shut = await waitForDoor({ ...door, port: port(1) }, performance.now(), milliseconds(20))
 * console.log(shut.open) // false
 * ```
 */
export function waitForDoor(
  door: Door,
  since: number,
  limit: Milliseconds,
  { look, signal }: WaitTerms = {},
): Promise<OpenDoor | ClosedDoor> {
  const watch = look instanceof Watch ? look : new Watch(door)
  return watch.wait(door.addresses, since, limit, signal)
}

/** An attempt whose end is not known yet. */
interface Attempt {
  readonly socket: Socket
  readonly address: IpAddress
  /** It began before the knock. */
  readonly early: boolean
  /** On the clock of `performance.now()`. */
  connectedAt: number
}

class Watch implements DoorLook {
  readonly #door: Door
  readonly #open = new Set<Attempt>()
  /** Accepted after the knock, and waiting for a banner, the oldest first. */
  readonly #mute: Attempt[] = []
  /** Accepted before the knock, and waiting for a banner. */
  readonly #muteEarly = new Set<Attempt>()
  readonly #seen = new Map<IpAddress, { refused: number; mute: number; errors: Set<string> }>()
  #attempts = 0
  #found: OpenDoor | undefined
  #onFound: ((found: OpenDoor) => void) | undefined
  #since = 0
  #grace: NodeJS.Timeout | undefined

  constructor(door: Door) {
    this.#door = door
  }

  look(): void {
    for (const address of this.#door.addresses) {
      const attempt = this.#begin(address, true)
      const late = setTimeout(() => {
        if (attempt.socket.connecting) this.#drop(attempt)
      }, LOOK_LIMIT)
      late.unref()
      attempt.socket.once('close', () => clearTimeout(late))
    }
  }

  end(): void {
    this.#dropAll()
    this.#found?.socket.destroy()
  }

  wait(
    addresses: readonly IpAddress[],
    since: number,
    limit: Milliseconds,
    signal: AbortSignal | undefined,
  ): Promise<OpenDoor | ClosedDoor> {
    this.#since = since
    return new Promise((resolve) => {
      const pace = PACES[this.#door.sign]
      let next: NodeJS.Timeout | undefined
      const finish = (outcome: OpenDoor | ClosedDoor): void => {
        clearTimeout(next)
        clearTimeout(deadline)
        signal?.removeEventListener('abort', giveUp)
        this.#dropAll()
        resolve(outcome)
      }
      const giveUp = (): void => {
        this.#found?.socket.destroy()
        finish(this.#closed(addresses))
      }
      const deadline = setTimeout(() => finish(this.#found ?? this.#closed(addresses)), limit)
      this.#onFound = finish
      if (signal?.aborted === true) {
        giveUp()
        return
      }
      signal?.addEventListener('abort', giveUp)
      if (this.#found !== undefined) {
        finish(this.#found)
        return
      }
      let round = 0
      const tryAll = (): void => {
        for (const address of addresses) this.#begin(address, false)
        next = setTimeout(tryAll, pace[Math.min(round++, pace.length - 1)])
      }
      // A banner costs the service a connection, so a look also counts as the first attempt.
      if (this.#door.sign === 'banner' && this.#attempts > 0) next = setTimeout(tryAll, pace[round++])
      else tryAll()
    })
  }

  #closed(addresses: readonly IpAddress[]): ClosedDoor {
    const seen = addresses.map((address) => {
      const { refused, mute, errors } = this.#seenAt(address)
      return { address, refused, mute, errors: [...errors] }
    })
    return { open: false, attempts: this.#attempts, seen }
  }

  #seenAt(address: IpAddress): { refused: number; mute: number; errors: Set<string> } {
    const seen = this.#seen.get(address) ?? { refused: 0, mute: 0, errors: new Set() }
    this.#seen.set(address, seen)
    return seen
  }

  #begin(address: IpAddress, early: boolean): Attempt {
    this.#attempts++
    const socket = connect({ host: address, port: this.#door.port, noDelay: true, allowHalfOpen: true })
    const attempt: Attempt = { socket, address, early, connectedAt: 0 }
    this.#open.add(attempt)
    // It sent nothing.
    const hungUp = (): void => this.#drop(attempt)
    socket.once('end', hungUp)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const seen = this.#seenAt(address)
      if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') seen.refused++
      else seen.errors.add(error.code ?? error.message)
      this.#drop(attempt)
    })
    socket.once('connect', () => {
      attempt.connectedAt = performance.now()
      if (this.#door.sign === 'connect') this.#succeed(attempt, hungUp)
      else this.#awaitBanner(attempt, hungUp)
    })
    return attempt
  }

  #awaitBanner(attempt: Attempt, hungUp: () => void): void {
    const { socket, address, early } = attempt
    this.#seenAt(address).mute++
    if (early) this.#muteEarly.add(attempt)
    else if (this.#mute.push(attempt) > MAX_MUTE) this.#drop(this.#mute.shift())
    socket.once('data', (banner: Buffer) => {
      socket.pause()
      socket.unshift(banner)
      this.#succeed(attempt, hungUp)
    })
  }

  #succeed(attempt: Attempt, hungUp: () => void): void {
    if (!this.#open.has(attempt)) return
    const { socket, address, early } = attempt
    if (this.#found !== undefined) {
      // The service accepted this connection before the knock and was slow to greet it: so the port was open before.
      if (!early || this.#grace === undefined) return
      this.#found.socket.destroy()
    }
    this.#open.delete(attempt)
    // Now the socket belongs to its next owner: its end is no failed attempt, and what it received can still be read.
    socket.off('end', hungUp)
    const after = milliseconds(early ? 0 : performance.now() - this.#since)
    this.#found = { open: true, already: early, address, after, socket }
    clearTimeout(this.#grace)
    const tell = (): void => {
      if (this.#found !== undefined) this.#onFound?.(this.#found)
    }
    const left = early ? 0 : this.#leftForEarly(attempt)
    if (left > 0) this.#grace = setTimeout(tell, left)
    else tell()
  }

  /**
   * @returns how many more milliseconds to wait for an earlier connection to the same address to prove that the port
   * was open before.
   */
  #leftForEarly({ address, connectedAt }: Attempt): number {
    const rival = [...this.#muteEarly].find((it) => it.address === address && this.#open.has(it))
    if (rival === undefined) return 0
    const now = performance.now()
    const enough = Math.min(EARLY_BANNER_FACTOR * (now - connectedAt) + EARLY_BANNER_EXTRA, EARLY_BANNER_LIMIT)
    return rival.connectedAt + enough - now
  }

  #drop(attempt: Attempt | undefined): void {
    if (attempt === undefined) return
    this.#open.delete(attempt)
    attempt.socket.destroy()
  }

  #dropAll(): void {
    clearTimeout(this.#grace)
    for (const { socket } of this.#open) socket.destroy()
    this.#open.clear()
  }
}
