/**
 * A program: knocks by one connection at a gateway, with packets that the server grants, denies, has seen before, and
 * cannot open, in random order. Prints how long each answer took, as JSON: kind → milliseconds.
 *
 *     verdict-knocks.ts ADDRESS ROUNDS SOURCE
 */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { sealedPacket } from '../../test/support/sealed.ts'

const [host = '', rounds = '', source = ''] = process.argv.slice(2)
/** Fewer than a gateway answers on one connection. */
const PER_CONNECTION = 900
/** For compiled code, on all sides. */
const WARM_UP = 100

const used = sealedPacket(0, { source })
const packets = {
  granted: () => sealedPacket(0, { source }),
  denied: () => sealedPacket(0, { source, tcp: 80 }),
  // It costs this program as much as the others.
  replayed: () => (sealedPacket(0, { source }) === '' ? '' : used),
  // The HMAC of another packet.
  unknown: () => sealedPacket(0, { source }).slice(0, -43) + used.slice(-43),
} as const
type Kind = keyof typeof packets
const kinds = Object.keys(packets) as Kind[]
const times: Record<Kind, number[]> = { granted: [], denied: [], replayed: [], unknown: [] }

let socket: TLSSocket | undefined
let asked = 0

async function ask(kind: Kind): Promise<number> {
  const body = JSON.stringify({ target: 'office', packet: packets[kind]() })
  const head = `POST /v1/knock HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  if (socket === undefined || asked++ % PER_CONNECTION === 0) {
    socket?.destroy()
    socket = connect({ host, port: 443, rejectUnauthorized: false })
    socket.setNoDelay(true)
    await once(socket, 'secureConnect')
  }
  const answered = once(socket, 'data')
  const began = performance.now()
  socket.write(head + body)
  const [bytes] = await answered
  const took = performance.now() - began
  if (!`${bytes}`.startsWith('HTTP/1.1 202 ')) throw new Error(`answered ${bytes}`)
  return took
}

await ask('replayed')
for (let round = -WARM_UP; round < Number(rounds); round++)
  for (const kind of kinds.toSorted(() => Math.random() - 0.5)) {
    const took = await ask(kind)
    if (round >= 0) times[kind].push(took)
  }
socket?.destroy()
process.stdout.write(`${JSON.stringify(times)}\n`)
