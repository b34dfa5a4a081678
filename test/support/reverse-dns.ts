/**
 * A DNS server on the loopback interface that answers from a table, also for reverse look-ups. The server of
 * `dns-server.ts` runs on test hosts.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

const TYPES = { A: 1, PTR: 12, AAAA: 28 } as const

export interface DnsServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  /** What was asked: `PTR 1.2.0.192.in-addr.arpa`. */
  readonly asked: string[]
}

/** @param table `PTR NAME` or `A NAME` → the answer; `silence`: none comes. */
export async function dnsServer(table: Readonly<Record<string, string>>): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (query, from) => {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
    const question = query.subarray(12, at + 5)
    const type = Object.entries(TYPES).find(([, number]) => number === query.readUInt16BE(at + 1))?.[0]
    const key = `${type} ${labels.join('.')}`
    asked.push(key)
    const answer = table[key]
    if (answer === 'silence') return
    const data = answer === undefined ? undefined : dataOf(type, answer)
    // QR, RD, RA; NXDOMAIN without an answer.
    const head = Buffer.from([
      0,
      0,
      0x81,
      data === undefined ? 0x83 : 0x80,
      0,
      1,
      0,
      data === undefined ? 0 : 1,
      0,
      0,
      0,
      0,
    ])
    query.copy(head, 0, 0, 2)
    const record = Buffer.alloc(12)
    record.writeUInt16BE(0xc00c, 0)
    query.copy(record, 2, at + 1, at + 5)
    record.writeUInt16BE(data?.length ?? 0, 10)
    socket.send(Buffer.concat([head, question, ...(data === undefined ? [] : [record, data])]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

function dataOf(type: string | undefined, answer: string): Buffer {
  if (type === 'A') return Buffer.from(answer.split('.').map(Number))
  const labels = answer.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')])
  return Buffer.concat([...labels, Buffer.from([0])])
}
