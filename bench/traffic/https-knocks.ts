/**
 * Knocks over HTTPS at a fixed rate, by a client that costs little: few connections that stay, one request that is made
 * once, and answers of which only the first line is read.
 */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { milliseconds } from '../../src/units.ts'
import { sealedPacket } from '../../test/support/sealed.ts'

export interface KnocksOptions {
  /** On 127.0.0.1. */
  readonly port: number
  readonly perSecond: number
  readonly seconds: number
  readonly connections: number
}

const ACCEPTED = Buffer.from('HTTP/1.1 202 ')
const END = Buffer.from('"}')
/** For compiled code, on both sides. */
const WARM_UP = milliseconds(1_500)

/**
 * Each knock is due at its time, also where answers are late: then it waits for a connection, and that counts.
 * @returns milliseconds from the time that each was due to its answer, in order.
 */
export async function knockOverHttps({ port, perSecond, seconds, connections }: KnocksOptions): Promise<number[]> {
  const body = JSON.stringify({ target: 'office', packet: sealedPacket() })
  const head = `POST /v1/knock HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  const request = Buffer.from(head + body)
  const free: Line[] = []
  const due: number[] = []
  const times: number[] = []
  const all = await Promise.all(Array.from({ length: connections }, () => Line.open(port)))
  const next = (line: Line): void => {
    const at = due.shift()
    if (at === undefined) free.push(line)
    else line.ask(request, at)
  }
  for (const line of all) {
    line.onAnswer = (at) => {
      times.push(performance.now() - at)
      next(line)
    }
    free.push(line)
  }
  const knock = (at: number): void => {
    const line = free.shift()
    if (line === undefined) due.push(at)
    else line.ask(request, at)
  }
  for (const span of [WARM_UP, seconds * 1_000]) {
    times.length = 0
    const count = Math.round((perSecond * span) / 1_000)
    const began = performance.now()
    for (let sent = 0; sent < count; ) {
      const now = ((performance.now() - began) * perSecond) / 1_000
      for (; sent < now && sent < count; sent++) knock(began + (sent * 1_000) / perSecond)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    for (let waits = 0; times.length < count; waits++) {
      if (waits > 3_000) throw new Error(`${count - times.length} of ${count} knocks were not answered`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  for (const line of all) line.end()
  return times
}

/** A connection with at most one request. */
class Line {
  readonly #socket: TLSSocket
  #at: number | undefined
  onAnswer: (at: number) => void = () => {}

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      // An answer is shorter than a record of TLS, and so comes in one piece.
      if (!bytes.subarray(0, ACCEPTED.length).equals(ACCEPTED) || !bytes.subarray(-END.length).equals(END))
        throw new Error(`answered ${bytes.toString('latin1').slice(0, 200)}`)
      const at = this.#at
      this.#at = undefined
      if (at !== undefined) this.onAnswer(at)
    })
  }

  static async open(port: number): Promise<Line> {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false })
    socket.setNoDelay(true)
    await once(socket, 'secureConnect')
    return new Line(socket)
  }

  ask(request: Buffer, at: number): void {
    this.#at = at
    this.#socket.write(request)
  }

  end(): void {
    this.#socket.destroy()
  }
}
