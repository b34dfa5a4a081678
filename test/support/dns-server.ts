/**
 * A DNS server for tests, on loopback of a test host, that reports its queries. Started as a program: `dns-server.ts
 * NAME=ADDRESS…`. It prints `A name` or `AAAA name` for each query. It does not answer for names that begin with
 * “silent”. Other unknown names do not exist.
 */
import { createSocket } from 'node:dgram'
import { fileURLToPath } from 'node:url'
import type { Host, Program } from './netns.ts'

const A = 1
const AAAA = 28
const HEADER = 12

/** A program that answers on 127.0.0.1:53 of a host. */
export class DnsServer {
  readonly #program: Program

  static async start(host: Host, names: Readonly<Record<string, string>>): Promise<DnsServer> {
    const table = Object.entries(names).map(([name, address]) => `${name}=${address}`)
    const program = host.start([process.execPath, fileURLToPath(import.meta.url), ...table])
    await program.says(/^ready$/m)
    return new DnsServer(program)
  }

  private constructor(program: Program) {
    this.#program = program
  }

  /** Each query so far, oldest first, as `A name`. */
  get queries(): readonly string[] {
    return this.#program.output.split('\n').filter((line) => /^A+ /.test(line))
  }
}

/** Words before a command that make the server on loopback its resolver. */
export const askingLoopback: readonly string[] = [
  ...['unshare', '--mount', 'sh', '-ec'],
  'mount -t tmpfs none /mnt; echo \'nameserver 127.0.0.1\' > /mnt/resolv.conf; mount --bind /mnt/resolv.conf /etc/resolv.conf; exec "$@"',
  'sh',
]

function nameOf(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = HEADER
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}

function bytesOf(address: string): Buffer {
  if (address.includes('.')) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))
  const [before, after] = [words(head), words(tail)]
  const all = [...before, ...new Array(8 - before.length - after.length).fill(0), ...after]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}

function answer(query: Buffer, names: ReadonlyMap<string, string>): Buffer | undefined {
  const { name, end } = nameOf(query)
  const type = query.readUInt16BE(end)
  process.stdout.write(`${type === A ? 'A' : type === AAAA ? 'AAAA' : type} ${name}\n`)
  if (name.startsWith('silent')) return undefined
  const address = names.get(name)
  const has = address !== undefined && (address.includes(':') ? type === AAAA : type === A)
  const header = Buffer.alloc(HEADER)
  query.copy(header, 0, 0, 2)
  // An answer, recursion available; name error where there is no such name.
  header.writeUInt16BE(address === undefined ? 0x8183 : 0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(has ? 1 : 0, 6)
  const question = query.subarray(HEADER, end + 4)
  if (!has) return Buffer.concat([header, question])
  const data = bytesOf(address)
  const record = Buffer.alloc(12)
  // The name of the question, its type, class IN, a time to live, a length.
  record.writeUInt16BE(0xc00c, 0)
  record.writeUInt16BE(type, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt32BE(60, 6)
  record.writeUInt16BE(data.length, 10)
  return Buffer.concat([header, question, record, data])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = new Map(process.argv.slice(2).map((entry) => entry.split('=') as [string, string]))
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const reply = answer(query, names)
    if (reply !== undefined) socket.send(reply, from.port, from.address)
  })
  socket.bind(53, '127.0.0.1', () => process.stdout.write('ready\n'))
}
