/** {@link Looker} over the real host. Each program gets a limit of time and of output, and no words of others. */
import { execFile } from 'node:child_process'
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { printable } from '../bytes/text.ts'
import { systemResolve } from '../client/resolve.ts'
import { askControl, NOBODY_THERE } from '../daemon/warden/control.ts'
import { NetfilterSocket } from '../firewall/nftables/netlink.ts'
import { formatHostPort, type IpAddress, parseAddress } from '../packet/address.ts'
import { letFrameArrive } from '../system/arriving-frame.ts'
import { errorCode, fileReason, systemReason } from '../system/errno.ts'
import { libc } from '../system/libc.ts'
import { findNetfilterPrograms } from '../system/netfilter-programs.ts'
import { PROGRAM_ENVIRONMENT } from '../system/program-environment.ts'
import { countTcxPrograms } from '../system/tcx-programs.ts'
import { milliseconds, type Port } from '../units.ts'
import { TIMEX_LENGTH } from './facts/clock.ts'
import { type Known, known, notKnown } from './known.ts'
import { type InterfaceAddress, LONGEST_FILE, type Looker, type QuestionName, questions, type Said } from './looker.ts'

/** How long a program may take, and how many bytes it may print. */
const PROGRAM_TIME = milliseconds(5000)
const MOST_OUTPUT = 32 << 20
/** How long a service may take to greet, and how long its greeting may be. */
const LINE_TIME = milliseconds(3000)
const LONGEST_LINE = 255
/** How often the answer of the kernel is waited for, and the time between. It is usually there at once. */
const ANSWER_TRIES = 50
const ANSWER_PAUSE = milliseconds(2)

export function systemLooker(): Looker {
  const asked = new Map<QuestionName, Promise<Known<Said>>>()
  return {
    read: (path) => unlessMissing(() => readStart(path)),
    list: (folder) => unlessMissing(() => readdirSync(folder)),
    link: (path) => unlessMissing(() => (lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined)),
    realPath: (path) => unlessMissing(() => realpathSync(path)),
    stat: (path) =>
      unlessMissing(() => {
        const stat = statSync(path)
        const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSocket() ? 'socket' : 'other'
        return { kind, owner: stat.uid, mode: stat.mode & 0o7777 } as const
      }),
    ask(question) {
      const before = asked.get(question) ?? run(question)
      asked.set(question, before)
      return before
    },
    addresses,
    netfilter,
    frameArrives,
    tcxPrograms: countTcxPrograms,
    netfilterPrograms: findNetfilterPrograms,
    sendToSelf,
    async resolve(name) {
      const found = await systemResolve(name)
      if (found.ok) return known(found.value)
      // Anything but a plain “there is none” is the resolver’s trouble.
      return /no such (host|name)|has no usable/.test(found.failure.detail)
        ? known(undefined)
        : notKnown(found.failure.detail)
    },
    sourceTowards: ownAddressTowards,
    readLine,
    clock,
    async control(path, question = 'status') {
      const answer = await askControl(path, question)
      if (answer.ok) return known(answer.value)
      return answer.failure.detail.endsWith(NOBODY_THERE) ? known(undefined) : notKnown(answer.failure.detail)
    },
    space: (path) =>
      unlessMissing(() => {
        const { bsize, bavail, ffree, files } = statfsSync(path)
        return { freeBytes: bsize * bavail, freeInodes: ffree, inodes: files }
      }),
    pid: process.pid,
    uid: process.getuid?.() ?? -1,
    environment: process.env,
  }
}

function unlessMissing<T>(look: () => T): Known<T | undefined> {
  try {
    return known(look())
  } catch (error) {
    const code = errorCode(error)
    // ESRCH: of a process that has ended.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH') return known(undefined)
    return notKnown(fileReason(error))
  }
}

/** Files of /proc have no size, so their end is read for. */
function readStart(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const chunks: Buffer[] = []
    for (let room = LONGEST_FILE; room > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(room, 1 << 16))
      const length = readSync(fd, chunk)
      if (length === 0) break
      chunks.push(chunk.subarray(0, length))
      room -= length
    }
    return Buffer.concat(chunks).toString('utf8')
  } finally {
    closeSync(fd)
  }
}

function run(question: QuestionName): Promise<Known<Said>> {
  const [program, ...argv] = questions[question]
  const options = {
    timeout: PROGRAM_TIME,
    killSignal: 'SIGKILL',
    maxBuffer: MOST_OUTPUT,
    env: { ...PROGRAM_ENVIRONMENT, SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' },
    cwd: '/',
  } as const
  return new Promise((resolve) => {
    const child = execFile(program, argv, options, (error, output, complaint) => {
      const said = printable(complaint.split('\n')[0] ?? '')
      if (error === null) return resolve(known({ status: 0, output, complaint: said }))
      if (error.code === 'ENOENT') return resolve(notKnown(`${program} is not installed`))
      if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
        return resolve(notKnown(`${program} printed more than ${MOST_OUTPUT >> 20} MB`))
      if (error.killed) return resolve(notKnown(`${program} took longer than ${PROGRAM_TIME / 1000} s`))
      if (typeof error.code !== 'number') return resolve(notKnown(`${program} failed: ${systemReason(error)}`))
      resolve(known({ status: error.code, output, complaint: said }))
    })
    child.stdin?.end()
  })
}

function addresses(): Known<readonly InterfaceAddress[]> {
  try {
    const found = Object.entries(networkInterfaces()).flatMap(([name, each = []]) =>
      each.flatMap(({ address, cidr, mac }): readonly InterfaceAddress[] => {
        const parsed = parseAddress(address)
        const hardware = Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16))
        const prefixLength = Number(cidr?.split('/')[1])
        return parsed.ok && prefixLength >= 0
          ? [{ interface: name, address: parsed.value, prefixLength, hardware }]
          : []
      }),
    )
    return known(found)
  } catch (error) {
    return notKnown(systemReason(error))
  }
}

async function netfilter(request: Uint8Array): Promise<Known<readonly Uint8Array[]>> {
  const socket = NetfilterSocket.open()
  if (!socket.ok) return notKnown(`the kernel’s netfilter cannot be asked: ${socket.failure}`)
  try {
    const sent = socket.value.send(request)
    if (!sent.ok) return notKnown(`the kernel’s netfilter cannot be asked: ${sent.failure}`)
    for (let tries = 0; tries < ANSWER_TRIES; tries++) {
      const answer = socket.value.receive()
      if (!answer.ok) return notKnown(`the kernel’s netfilter did not answer: ${answer.failure}`)
      if (answer.value instanceof Uint8Array) return known([answer.value])
      await delay(ANSWER_PAUSE)
    }
    return notKnown('the kernel’s netfilter did not answer')
  } finally {
    socket.value.close()
  }
}

function frameArrives(interfaceName: string, frame: Uint8Array): Known<void> {
  const done = letFrameArrive(interfaceName, frame)
  return done === undefined ? known(undefined) : notKnown(done)
}

async function sendToSelf(address: IpAddress, port: Port, payload: Uint8Array): Promise<Known<void>> {
  const { createSocket } = await import('node:dgram')
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  return new Promise((resolve) => {
    const end = (result: Known<void>): void => {
      socket.close()
      resolve(result)
    }
    socket.on('error', (error) => end(notKnown(systemReason(error))))
    socket.send(payload, port, address, (error) =>
      end(error === null ? known(undefined) : notKnown(systemReason(error))),
    )
  })
}

async function ownAddressTowards(address: IpAddress): Promise<Known<IpAddress>> {
  const { sourceTowards } = await import('../scan/source-address.ts')
  const found = await sourceTowards(address)
  return 'source' in found ? known(found.source) : notKnown(found.because)
}

async function readLine(address: IpAddress, port: Port): Promise<Known<string>> {
  const { connect } = await import('node:net')
  const socket = connect({ host: address, port })
  return new Promise((resolve) => {
    let text = ''
    const end = (result: Known<string>): void => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(LINE_TIME, () => end(notKnown(`${formatHostPort(address, port)} says nothing`)))
    socket.on('error', (error) => end(notKnown(`${formatHostPort(address, port)}: ${systemReason(error)}`)))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const at = text.indexOf('\n')
      if (at >= 0 || text.length > LONGEST_LINE) end(known(printable(text.slice(0, at < 0 ? LONGEST_LINE : at).trim())))
    })
    socket.on('end', () =>
      end(text === '' ? notKnown(`${formatHostPort(address, port)} closes at once`) : known(printable(text.trim()))),
    )
  })
}

function clock(): ReturnType<Looker['clock']> {
  try {
    const timex = new Uint8Array(new ArrayBuffer(TIMEX_LENGTH))
    // `modes` is 0: nothing is set.
    const state = libc().adjtimex(timex)
    return state < 0 ? notKnown('adjtimex failed') : known({ state, timex })
  } catch (error) {
    return notKnown(systemReason(error))
  }
}
