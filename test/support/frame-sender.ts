/** Puts IP packets on a cable unchanged, right or wrong in any field, from inside a host's network namespace. */
import assert from 'node:assert/strict'
import { closeSync } from 'node:fs'
import { libc, SOCK_DGRAM } from '../../src/system/libc.ts'
import { enter, type Host } from './netns.ts'

const AF_PACKET = 17
const SOCKADDR_LL_LENGTH = 20
const [ETH_P_IP, ETH_P_IPV6] = [0x0800, 0x86dd]

/**
 * @param from the host that sends, by this interface. @param to the host at the other end, by that one. @returns a
 * function that sends one packet, with its IP header first.
 */
export async function openFrameSender(
  from: Host,
  fromInterface: string,
  to: Host,
  toInterface: string,
): Promise<Disposable & { send(packet: Uint8Array): void }> {
  const show = (host: Host, name: string) =>
    JSON.parse(host.must(['ip', '-json', 'link', 'show', 'dev', name]))[0] as { ifindex: number; address: string }
  const leave = await enter(from)
  const native = libc()
  const fd = native.socket(AF_PACKET, SOCK_DGRAM, 0)
  leave()
  assert.ok(fd >= 0, `no packet socket: errno ${native.errno()}`)
  const address = new Uint8Array(new ArrayBuffer(SOCKADDR_LL_LENGTH))
  const fields = new DataView(address.buffer)
  fields.setUint16(0, AF_PACKET, true)
  fields.setInt32(4, show(from, fromInterface).ifindex, true)
  fields.setUint8(11, 6)
  address.set(Buffer.from(show(to, toInterface).address.replaceAll(':', ''), 'hex'), 12)
  return {
    send(packet) {
      fields.setUint16(2, (packet[0] ?? 0) >> 4 === 4 ? ETH_P_IP : ETH_P_IPV6)
      const sent = native.sendto(fd, packet, packet.length, 0, address, address.length)
      assert.equal(sent, packet.length, `sendto: errno ${native.errno()}`)
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}
