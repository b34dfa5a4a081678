/**
 * Waiting for the door: trying a TCP port until it opens. A closed door says nothing at all, so that a lost first attempt
 * would be noticed by the kernel only a second later; new attempts are made at growing distances instead, and the first
 * that succeeds counts. An attempt that was overtaken is taken back before its handshake ends, so that the service sees
 * one connection.
 */
import { connect, type Socket } from 'node:net'
import type { IpAddress } from '../packet/address.ts'
import { type Milliseconds, milliseconds, type Port } from '../units.ts'

/**
 * What counts as open: that the port accepts a connection; or that whoever accepts speaks first. The latter tells a ghost
 * service from the web server whose port it shares: sshd greets at once, web servers wait for a request.
 */
export type OpenSign = 'connect' | 'banner'

export interface Door {
  /** Tried side by side. */
  readonly addresses: readonly IpAddress[]
  readonly port: Port
  readonly sign: OpenSign
}

export interface OpenDoor {
  readonly open: true
  readonly address: IpAddress
  /** Since the knock. */
  readonly after: Milliseconds
  /** Connected, half-open allowed, and paused: a banner that was read is given again to its next reader. */
  readonly socket: Socket
}

/** How the attempts ended, or have not ended yet. */
export interface ClosedDoor {
  readonly open: false
  readonly attempts: number
  /** Answered with a reset. */
  readonly refused: number
  /** Accepted, and no word in the time of waiting. */
  readonly mute: number
  /** Other answers, by the system's code: no route, host unreachable. */
  readonly errors: readonly string[]
  /** Addresses of this host that connections came from. */
  readonly localAddresses: readonly string[]
}

/** Distances between attempts, the last one repeated. A banner costs a whole connection, so there are fewer of those. */
const PACES: Readonly<Record<OpenSign, readonly number[]>> = {
  connect: [1, 2, 4, 8, 16, 32, 64, 128, 250],
  banner: [3, 8, 20, 60, 160, 250],
}
/** Connections that may stay mute side by side; the oldest gives way. */
const MAX_MUTE = 6

/**
 * @param since when the knock was sent, on the clock of `performance.now()`.
 * @param limit how long to try, from now.
 */
export function waitForDoor(door: Door, since: number, limit: Milliseconds): Promise<OpenDoor | ClosedDoor> {
  return new Promise((resolve) => {
    const pace = PACES[door.sign]
    const sockets = new Set<Socket>()
    const mute: Socket[] = []
    const errors = new Set<string>()
    const localAddresses = new Set<string>()
    let [attempts, refused, muteCount] = [0, 0, 0]
    let next: NodeJS.Timeout | undefined

    const finish = (outcome: OpenDoor | ClosedDoor, keep?: Socket): void => {
      clearTimeout(next)
      clearTimeout(deadline)
      for (const socket of sockets) if (socket !== keep) socket.destroy()
      sockets.clear()
      resolve(outcome)
    }

    const succeed = (socket: Socket, address: IpAddress): void => {
      if (!sockets.delete(socket)) return
      // From here on it is its next owner's: an end is no longer a failed attempt, and what was said may still be read.
      socket.off('end', hungUp)
      finish({ open: true, address, after: milliseconds(performance.now() - since), socket }, socket)
    }

    const awaitBanner = (socket: Socket, address: IpAddress): void => {
      muteCount++
      mute.push(socket)
      if (mute.length > MAX_MUTE) drop(mute.shift())
      socket.once('data', (banner: Buffer) => {
        socket.pause()
        socket.unshift(banner)
        succeed(socket, address)
      })
    }

    /** Without a word. */
    function hungUp(this: Socket): void {
      drop(this)
    }

    const drop = (socket: Socket | undefined): void => {
      if (socket === undefined) return
      sockets.delete(socket)
      socket.destroy()
    }

    const attempt = (address: IpAddress): void => {
      attempts++
      const socket = connect({ host: address, port: door.port, noDelay: true, allowHalfOpen: true })
      sockets.add(socket)
      socket.once('connect', () => {
        if (socket.localAddress !== undefined) localAddresses.add(socket.localAddress)
        if (door.sign === 'connect') succeed(socket, address)
        else awaitBanner(socket, address)
      })
      socket.once('end', hungUp)
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') refused++
        else errors.add(error.code ?? error.message)
        drop(socket)
      })
    }

    let round = 0
    const tryAll = (): void => {
      for (const address of door.addresses) attempt(address)
      next = setTimeout(tryAll, pace[Math.min(round++, pace.length - 1)])
    }
    const deadline = setTimeout(() => {
      const seen = { attempts, refused, mute: muteCount, errors: [...errors], localAddresses: [...localAddresses] }
      finish({ open: false, ...seen })
    }, limit)
    tryAll()
  })
}
