/**
 * The console's own Unix socket. Only one user may use it, by the kernel's word (SO_PEERCRED): the mode of the file
 * says nothing, because the warden cannot give files away. A line that is no request ends the connection.
 */
import { chmodSync, statSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { jsonLine } from '../../../bytes/text.ts'
import { monotonic } from '../../../clock.ts'
import type { Log } from '../../../log.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { askerAt } from '../../../system/asker.ts'
import { systemReason } from '../../../system/errno.ts'
import { systemPath } from '../../../system/system-path.ts'
import { TokenBucket } from '../../../token-bucket.ts'
import { milliseconds } from '../../../units.ts'
import { type ConsoleAnswer, parseConsoleRequest, rightFor } from '../../link/console-protocol.ts'
import { clearForSocket } from '../own-paths.ts'
import type { Desk } from './desk.ts'

const LONGEST_LINE = 4096
const MOST_CONNECTIONS = 8
/** Requests of the console, and of these the changes. */
const ASKED = { perSecond: 50, burst: 100 } as const
const CHANGES = { perSecond: 1, burst: 20 } as const
/** Before a request above the limits is answered: who asks without a pause gets few answers. */
const REFUSED_AFTER = milliseconds(20)
/** How long an answer may stay unread. */
const READ_TIME = milliseconds(30_000)
/** Lines about those who may not ask. */
const LINES = { perSecond: 0.2, burst: 5 } as const

/** @param uid whose processes may ask. @returns what closes the socket and all connections. */
export async function serveConsole(
  path: string,
  uid: number,
  desk: Desk,
  log: Log,
): Promise<Result<() => void, Failure<'CONFIG_UNWRITABLE' | 'CONFIG_EXPOSED'>>> {
  const open = new Set<Socket>()
  const limits = { asked: new TokenBucket(ASKED, monotonic()), changes: new TokenBucket(CHANGES, monotonic()) }
  const lines = new TokenBucket(LINES, monotonic())
  const refused = (text: string): void => {
    if (lines.take(1, monotonic())) log.write('warning', 'console', { text })
  }
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    const asker = askerAt(socket)
    if (asker.uid !== uid) {
      refused(`user ${asker.uid ?? 'unknown'} may not ask at the console's socket`)
      socket.destroy()
      return
    }
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    serveOne(socket, desk, limits, refused)
  })
  server.maxConnections = MOST_CONNECTIONS
  try {
    const stands = clearForSocket(path)
    if (stands !== undefined) return { ok: false, failure: stands }
    await new Promise<void>((done, failed) => {
      server.once('error', failed)
      server.listen(path, done)
    })
    chmodSync(path, 0o666)
    if ((statSync(systemPath(dirname(path))).mode & 0o001) === 0)
      log.write('warning', 'notice', {
        text: `the console cannot reach ${path}: nobody else may pass its folder. chmod 711 ${dirname(path)}, or RuntimeDirectoryMode=0711 in the unit`,
      })
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${path}: ${systemReason(error)}`)
  }
  return ok(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
}

interface Limits {
  readonly asked: TokenBucket
  readonly changes: TokenBucket
}

/** One request after the other, and the next one when the answer was taken: so unread answers do not pile up. */
function serveOne(socket: Socket, desk: Desk, limits: Limits, refused: (text: string) => void): void {
  const gone = new AbortController()
  let text = ''
  let isBusy = false
  socket.on('close', () => gone.abort())
  const tell = (answer: ConsoleAnswer): void => {
    if (!socket.writable) return
    const late = setTimeout(() => drop('the console does not read its answers'), READ_TIME)
    // It is called, too, where the connection ends before.
    socket.write(`${jsonLine(answer)}\n`, () => {
      clearTimeout(late)
      isBusy = false
      next()
    })
  }
  const next = (): void => {
    const end = text.indexOf('\n')
    if (socket.destroyed) return
    if (isBusy || end < 0) {
      if (end < 0 && text.length > LONGEST_LINE) drop('a line of the console is too long')
      return
    }
    const line = text.slice(0, end)
    text = text.slice(end + 1)
    const request = line.length > LONGEST_LINE ? undefined : parseConsoleRequest(line)
    if (request === undefined) {
      drop('the console sent what is no request')
      return
    }
    isBusy = true
    const isChange = rightFor(request.ask) !== undefined
    if (!limits.asked.take(1, monotonic()) || (isChange && !limits.changes.take(1, monotonic()))) {
      setTimeout(() => tell({ done: false, code: 'CONSOLE_REFUSED', detail: 'too many requests' }), REFUSED_AFTER)
      return
    }
    desk.answer(request, gone.signal).then(tell, () => drop('a request of the console failed'))
  }
  const drop = (why: string): void => {
    refused(why)
    socket.destroy()
  }
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    // What is sent while a request is being answered waits, and may not be much.
    if (text.length > 4 * LONGEST_LINE) drop('the console sends more than it may')
    else next()
  })
}
