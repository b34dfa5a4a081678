/**
 * A scan as any program can make it: connects to each TCP port, and reads what the service says first. Nothing is sent.
 * Connections begin at a bounded rate. An open port gets one connection: sshd shuts out addresses that connect often
 * and do not log in (`PerSourcePenalties`).
 */
import { connect, type Socket } from 'node:net'
import { printable, textFromBytes } from '../bytes/text.ts'
import type { IpAddress } from '../packet/address.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import type { PortState } from './nmap-result.ts'

export interface ConnectScan {
  readonly addresses: readonly IpAddress[]
  /** Above 0, each once. */
  readonly ports: readonly number[]
  /** The address of this host to connect from. Absent: the kernel chooses. */
  readonly from: (address: IpAddress) => IpAddress | undefined
  /** How long to wait for a connection, and then for a greeting. The kernel repeats a lost first packet after 1 s. */
  readonly timeout: Milliseconds
  /** Connections that may begin in a second. */
  readonly rate: number
}

/** What one port answered. */
export interface PortSeen {
  readonly state: PortState
  /** What the service said first. Printable, one line. */
  readonly banner?: string
}

/** By address, then by port. */
export type Seen = ReadonlyMap<IpAddress, ReadonlyMap<number, PortSeen>>

/** Connections at the same time. */
const MOST_AT_ONCE = 256
/** Bytes of a greeting that are kept. */
const LONGEST_BANNER = 256
/** A greeting may come in pieces: how long to wait for the next one. */
const NEXT_PIECE = milliseconds(200)
/** Errors of this host, and not answers of the other one. */
const OWN_ERRORS: ReadonlySet<string> = new Set([
  ...['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EADDRINUSE', 'EINVAL', 'EPERM'],
])

/** @returns what was seen; or why this host could not ask, as text. */
export async function connectScan(scan: ConnectScan): Promise<Seen | string> {
  const seen = new Map(scan.addresses.map((address) => [address, new Map<number, PortSeen>()]))
  const questions = scan.ports.flatMap((port) => scan.addresses.map((address) => ({ address, port })))
  const running = new Set<Promise<void>>()
  const began = performance.now()
  let problem: string | undefined
  for (const [number, { address, port }] of questions.entries()) {
    if (problem !== undefined) break
    if (running.size >= MOST_AT_ONCE) await Promise.race(running)
    const early = began + (number * 1000) / scan.rate - performance.now()
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
    const asking = ask(address, port, scan).then((answer) => {
      running.delete(asking)
      if (typeof answer === 'string') problem ??= answer
      else seen.get(address)?.set(port, answer)
    })
    running.add(asking)
  }
  await Promise.all(running)
  return problem ?? seen
}

/** How long a scan takes at most, about. */
export function longestTime({ addresses, ports, timeout, rate }: ConnectScan): Milliseconds {
  const count = addresses.length * ports.length
  return (Math.max((count * 1000) / rate, (count * timeout) / MOST_AT_ONCE) + 2 * timeout) as Milliseconds
}

function ask(address: IpAddress, port: number, { from, timeout }: ConnectScan): Promise<PortSeen | string> {
  const source = from(address)
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, ...(source !== undefined && { localAddress: source }) })
    const end = (answer: PortSeen | string): void => {
      clearTimeout(limit)
      socket.destroy()
      resolve(answer)
    }
    const limit = patiently(timeout, () => end({ state: 'filtered' }))
    // It stays: a reset may come after the answer.
    socket.on('error', (error) => end(answerOf(error)))
    socket.once('connect', () => {
      clearTimeout(limit)
      void bannerOf(socket, timeout).then((banner) => end({ state: 'open', ...(banner !== '' && { banner }) }))
    })
  })
}

/** All that arrived by then is read first: a busy processor is no silence. */
function patiently(time: number, act: () => void): NodeJS.Timeout {
  return setTimeout(() => setImmediate(act), time)
}

function answerOf(error: Error): PortSeen | string {
  const code = errorCode(error) ?? ''
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return { state: 'closed' }
  return OWN_ERRORS.has(code) ? `${systemReason(error)} (${code})` : { state: 'filtered' }
}

/** Until a line ends, nothing more comes, or the service hangs up. */
function bannerOf(socket: Socket, timeout: Milliseconds): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(limit)
      clearTimeout(quiet)
      const bytes = firstLine(Buffer.concat(pieces, Math.min(LONGEST_BANNER, length)))
      resolve(printable(textFromBytes(bytes).trimEnd()))
    }
    const limit = patiently(timeout, end)
    let quiet: NodeJS.Timeout | undefined
    socket.on('data', (piece) => {
      pieces.push(piece)
      length += piece.length
      clearTimeout(quiet)
      if (length >= LONGEST_BANNER || piece.includes(0x0a)) end()
      else quiet = setTimeout(end, NEXT_PIECE)
    })
    socket.once('close', end)
    socket.once('end', end)
  })
}

/**
 * A service may send more at once: sshd its keys, an FTP server more lines. How much of that is in the first packets
 * differs from time to time. Greetings that are no text, such as MySQL's, have no lines.
 */
function firstLine(bytes: Buffer): Buffer {
  const line = bytes.subarray(0, bytes.indexOf(0x0a) + 1)
  return line.length > 0 && line.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d)) ? line : bytes
}
