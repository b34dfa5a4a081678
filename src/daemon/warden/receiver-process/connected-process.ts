/**
 * A process that systemd starts, in a unit of its own. systemd listens on a socket that only root can open, and starts
 * a process for each connection (`Accept=yes`). This side connects, and sends descriptors. Such a process never was
 * root, and inherited nothing. It is no child of this one: the kernel says which process sent its first message, and
 * that process is held by a descriptor.
 */
import { EventEmitter } from 'node:events'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { Duplex, PassThrough, type Readable } from 'node:stream'
import { describeErrno } from '../../../system/errno.ts'
import { libc, O_CLOEXEC } from '../../../system/libc.ts'
import { connectUnix, receiveDescriptors, sendDescriptors } from '../../../system/pass-descriptors.ts'
import { ProcessHandle } from '../../../system/process-handle.ts'
import { milliseconds } from '../../../units.ts'
import { lineOf } from '../../link/lossy-lines.ts'
import type { Handover, HelperName } from '../../link/receiver-start.ts'
import type { ReceiverProcess, SpawnedReceiver } from './spawn.ts'

/** How often to look for its first message. Node takes some 100 ms to start. */
const MEET_INTERVAL = milliseconds(5)
/** How often to look whether it has ended, and how often once it must have. */
const LOOK_INTERVAL = milliseconds(250)
const END_INTERVAL = milliseconds(5)

const UNKNOWN_STATUS = -1

/**
 * @param path of the socket.
 * @param fds what the process gets.
 * @param name which program, where the unit has several.
 * @throws Error with a sentence.
 */
export function connectProcess(path: string, fds: readonly number[], name?: HelperName): SpawnedReceiver {
  const connection = connectUnix(path)
  const [readEnd, writeEnd] = openPipe()
  try {
    const { TZ: zone } = process.env
    const handover: Handover = { type: 'descriptors', count: fds.length, ...(zone !== undefined && { zone }) }
    if (name !== undefined) sendDescriptors(connection, Buffer.from(`${name}\n`), [])
    sendDescriptors(connection, Buffer.from(lineOf(handover)), [writeEnd, ...fds])
  } catch (error) {
    closeSync(connection)
    closeSync(readEnd)
    throw new Error(`${path}: ${(error as Error).message}`)
  } finally {
    closeSync(writeEnd)
  }
  const channel = new LateStream()
  const errors = new Socket({ fd: readEnd, readable: true, writable: false })
  return { child: new ConnectedProcess(connection, channel), channel, errors }
}

/** As a child that cannot be started. */
export function failedStart(error: Error): SpawnedReceiver {
  const child = new EventEmitter() as EventEmitter & { pid: undefined; exitCode: null; signalCode: null; kill(): false }
  Object.assign(child, { pid: undefined, exitCode: null, signalCode: null, kill: () => false })
  setImmediate(() => child.emit('error', error))
  const errors: Readable = new PassThrough().end()
  return { child, channel: new PassThrough(), errors }
}

class ConnectedProcess extends EventEmitter implements ReceiverProcess {
  exitCode: number | null = null
  signalCode: NodeJS.Signals | null = null
  readonly #connection: number
  readonly #channel: LateStream
  #process: ProcessHandle | undefined
  #timer: NodeJS.Timeout
  #wasKilled = false
  /** The channel reads the connection, and closes it. */
  #hasMet = false
  #isOver = false

  constructor(connection: number, channel: LateStream) {
    super()
    this.#connection = connection
    this.#channel = channel
    this.#timer = setInterval(() => this.#meet(), MEET_INTERVAL)
  }

  /** Undefined until it has sent something, and once it is gone. */
  get pid(): number | undefined {
    return this.#isOver ? undefined : this.#process?.pid
  }

  /** @returns whether it gets the signal. One that has sent nothing yet is left alone: it has no key, and ends. */
  kill(): boolean {
    this.#wasKilled = true
    if (this.#isOver) return false
    if (this.#process === undefined) {
      if (!this.#hasMet) closeSync(this.#connection)
      this.#end()
      return false
    }
    this.#lookEvery(END_INTERVAL)
    return this.#process.signal(constants.signals.SIGKILL)
  }

  /** Waits for its first message, which stays to be read. */
  #meet(): void {
    try {
      const arrived = receiveDescriptors(this.#connection, 1, 'peek')
      if (arrived === 'empty') return
      if (arrived?.sender === undefined) throw new Error('it ended before it said anything')
      if (arrived.sender.uid === 0) throw new Error('it runs as root: print its unit again')
      this.#process = handleOf(arrived.sender.pid)
    } catch (error) {
      closeSync(this.#connection)
      this.#end(error as Error)
      return
    }
    this.#hasMet = true
    const socket = new Socket({ fd: this.#connection, readable: true, writable: true })
    socket.once('close', () => this.#lookEvery(END_INTERVAL))
    this.#lookEvery(LOOK_INTERVAL)
    this.#channel.attach(socket)
  }

  #lookEvery(interval: number): void {
    clearInterval(this.#timer)
    if (this.#isOver) return
    this.#timer = setInterval(() => {
      if (this.#process?.hasEnded !== false) this.#end()
    }, interval)
  }

  #end(error?: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    this.#process?.close()
    if (this.#wasKilled) this.signalCode = 'SIGKILL'
    // systemd knows how it ended; the warden does not.
    else this.exitCode = UNKNOWN_STATUS
    if (!this.#hasMet) this.#channel.push(null)
    if (error !== undefined) this.emit('error', error)
    else this.emit('exit', null, this.signalCode)
  }
}

/** @returns undefined if it is gone. What it said before is still to be read. */
function handleOf(pid: number): ProcessHandle | undefined {
  try {
    return new ProcessHandle(pid)
  } catch {
    return undefined
  }
}

/** A stream that gets its socket later. What is written before that waits. */
class LateStream extends Duplex {
  #socket: Socket | undefined
  #waiting: (() => void)[] = []

  attach(socket: Socket): void {
    this.#socket = socket
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    for (const write of this.#waiting.splice(0)) write()
  }

  override _read(): void {
    this.#socket?.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    const socket = this.#socket
    if (socket === undefined) this.#waiting.push(() => this._write(chunk, _, done))
    else socket.write(chunk, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket?.destroy()
    done(error)
  }
}

/** @returns the descriptors to read from and to write to. @throws Error with a sentence. */
function openPipe(): readonly [number, number] {
  const native = libc()
  const ends = new Int32Array(2)
  if (native.pipe2(new Uint8Array(ends.buffer), O_CLOEXEC) < 0) throw new Error(describeErrno(native.errno()))
  const [read = -1, write = -1] = ends
  return [read, write]
}
