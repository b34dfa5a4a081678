/**
 * How a renewed certificate gets into a server that may not read its key. The server gave up root, and listens on a
 * Unix socket in its own folder, where only its user and root can connect. A command that root runs reads the files,
 * and hands them over. The answer says whether the server uses them. One line of JSON goes each way.
 */
import { connect, createServer, type Socket } from 'node:net'
import { jsonLine, printable } from '../bytes/text.ts'
import { literal, printableAscii, record, text } from '../json-reader.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { milliseconds } from '../units.ts'
import type { KeyAndCertificate } from './self-signed.ts'
import type { ServerCertificate } from './server-certificate.ts'
import { useUnixSocket } from './unix-socket.ts'

/** A chain of certificates, and a key. */
const MOST_BYTES = 512 * 1024
const MOST_AT_ONCE = 4
/** From a connection to its end. */
const LONGEST = milliseconds(5_000)

const readPair = record({ key: text({ max: MOST_BYTES }), cert: text({ max: MOST_BYTES }) }, {})
const readTaken = record(
  { taken: literal('yes'), fingerprint: printableAscii({ max: 95 }), until: printableAscii({ max: 30 }) },
  {},
)
const readRefused = record({ taken: literal('no'), why: text({ max: 2_000 }) }, {})

/** What the server does with a pair: uses it, or says why it keeps the old one. */
export type TakeCertificate = (pair: KeyAndCertificate) => Result<ServerCertificate, Failure>

/** @param path of a socket that is to be made, in a folder of this user alone. @returns what closes it. */
export async function openCertificateDoor(
  path: string,
  take: TakeCertificate,
): Promise<Result<() => void, Failure<'HTTP_UNAVAILABLE' | 'CONFIG_EXPOSED'>>> {
  const server = createServer((socket) => {
    void readLine(socket).then((line) => {
      const pair = readPair(parsed(line))
      if (pair === undefined) {
        socket.destroy()
        return
      }
      const taken = take(pair)
      socket.end(
        jsonLine(
          taken.ok
            ? { taken: 'yes', fingerprint: taken.value.fingerprint, until: taken.value.validUntil.toISOString() }
            : { taken: 'no', why: taken.failure.detail },
        ),
      )
    })
  })
  server.maxConnections = MOST_AT_ONCE
  const used = await useUnixSocket(server, { path, mode: 0o600 })
  if (!used.ok) return used
  server.unref()
  return ok(() => {
    server.close()
    used.value()
  })
}

/**
 * As root.
 * @returns what the server uses now. `HTTP_UNAVAILABLE`: it does not run. `KEY_INVALID`: it keeps the old certificate.
 */
export async function handOverCertificate(
  path: string,
  { key, cert }: KeyAndCertificate,
): Promise<Result<{ readonly fingerprint: string; readonly until: string }, Failure>> {
  const socket = connect(path)
  const failed = await new Promise<unknown>((resolve) => {
    socket.once('connect', () => resolve(undefined))
    socket.once('error', resolve)
  })
  if (failed !== undefined) {
    const isAway = ['ENOENT', 'ECONNREFUSED'].includes(errorCode(failed) ?? '')
    return refuse('HTTP_UNAVAILABLE', `${path}: ${isAway ? 'no server runs there' : systemReason(failed)}`)
  }
  const answered = readLine(socket)
  socket.write(`${jsonLine({ key, cert })}\n`)
  const answer = parsed(await answered)
  socket.destroy()
  const taken = readTaken(answer)
  if (taken !== undefined) return ok({ fingerprint: taken.fingerprint, until: taken.until })
  const refused = readRefused(answer)
  return refused === undefined
    ? refuse('HTTP_UNAVAILABLE', `${path}: the server does not answer`)
    : refuse('KEY_INVALID', printable(refused.why))
}

/** @returns what came before the first line break or the end; undefined if it is too long, or too slow. */
function readLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    const late = setTimeout(() => socket.destroy(), LONGEST)
    const done = (line: string | undefined): void => {
      clearTimeout(late)
      resolve(line)
    }
    const whole = (): string => Buffer.concat(chunks).toString('utf8')
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > MOST_BYTES) socket.destroy()
      else if (chunk.includes(0x0a)) done(whole().split('\n', 1)[0])
    })
    socket.once('end', () => done(whole()))
    socket.on('error', () => socket.destroy())
    socket.once('close', () => done(undefined))
  })
}

function parsed(line: string | undefined): unknown {
  try {
    return JSON.parse(line ?? '')
  } catch {
    return undefined
  }
}
