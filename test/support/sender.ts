/** UDP sockets of this process that are in a test host's network namespace, or here. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { enter, type Host } from './netns.ts'

export interface Sender extends AsyncDisposable {
  /** Resolves when the kernel has accepted the datagram. Rejects if there is no route to `address`. */
  send(payload: Uint8Array, address: string, port: number): Promise<void>
  /** The source port, by family of the address sent to. */
  sourcePort(address: string): number
}

export async function openSender(host?: Host): Promise<Sender> {
  const leave = host === undefined ? () => {} : await enter(host)
  let sockets: { readonly four: Socket; readonly six: Socket }
  try {
    sockets = { four: await bound('udp4', '0.0.0.0'), six: await bound('udp6', '::') }
  } finally {
    leave()
  }
  const towards = (address: string): Socket => (address.includes(':') ? sockets.six : sockets.four)
  return {
    send: (payload, address, port) =>
      new Promise((resolve, reject) => {
        towards(address).send(payload, port, address, (error) => (error ? reject(error) : resolve()))
      }),
    sourcePort: (address) => towards(address).address().port,
    async [Symbol.asyncDispose]() {
      for (const socket of Object.values(sockets)) socket.close()
    },
  }
}

async function bound(type: 'udp4' | 'udp6', address: string): Promise<Socket> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  const listening = once(socket, 'listening')
  socket.bind(0, address)
  await listening
  return socket
}
