/**
 * A client, a server with ssh and a web server, and an attacker on a cable of its own. They are for tests of knocks
 * that do not come as UDP. The attacker sends floods of frames, and the tests see what the server grants meanwhile.
 *
 *   client 10.9.0.1, fd09::1 ── eth0 10.9.0.2, fd09::2 ┐
 *                                                       ├ server, ssh on tcp/22, a web server on tcp/80
 *   attacker 10.9.2.1 … ─────── eth1 10.9.2.254        ┘
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Daemon, dropByDefault, type LogEvent } from './daemon.ts'
import { type Host, Network } from './netns.ts'

export const CLIENT = { four: '10.9.0.1', six: 'fd09::1' } as const
export const FROM_CLIENT = { source: CLIENT.four, destination: '10.9.0.2' } as const
export const FROM_CLIENT_SIX = { source: CLIENT.six, destination: 'fd09::2' } as const
/** Where the attacker sends to. */
export const SERVER_TO_ATTACKER = '10.9.2.254'

export interface CarrierHosts {
  readonly net: Network
  readonly client: Host
  readonly server: Host
  readonly attacker: Host
}

/** @param ports of TCP, that the server’s firewall lets everybody in at. @param attackers how many addresses. */
export async function carrierHosts(ports: readonly number[], attackers = 1): Promise<CarrierHosts> {
  const net = await Network.create()
  const [client, server, attacker] = [await net.host('client'), await net.host('server'), await net.host('attacker')]
  await net.link(client, [`${CLIENT.four}/24`, `${CLIENT.six}/64`], server, ['10.9.0.2/24', 'fd09::2/64'])
  const addresses = Array.from({ length: attackers }, (_, i) => `10.9.2.${i + 1}/24`)
  await net.link(attacker, addresses, server, [`${SERVER_TO_ATTACKER}/24`])
  dropByDefault(server)
  server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', `{ ${ports.join(', ')} }`, 'accept'])
  await server.listen([
    { protocol: 'tcp', port: 22, banner: 'ssh' },
    { protocol: 'tcp', port: 80, banner: 'web' },
  ])
  return { net, client, server, attacker }
}

/** A grant whose packet did not come from an address of the attacker. */
const isOurs = ({ verdict, source }: LogEvent): boolean => verdict === 'granted' && !`${source}`.startsWith('10.9.2.')

/** Waits for the next grant whose packet did not come from an address of the attacker. */
export async function grantedAfter(daemon: Daemon, act: () => unknown): Promise<LogEvent> {
  const from = daemon.events.length
  await act()
  return await daemon.until(isOurs, from)
}

/** Each try of a client waits for this long, before it knocks again as `knock --wait` does. */
const TRY_TIME = 600
const TRIES = 5

/**
 * Knocks in a flood, with a new packet each time: a flood at full speed may cost a single packet.
 *
 * @param act sends a new knock. @returns the first grant.
 */
export async function grantedWithTries(daemon: Daemon, act: () => unknown): Promise<LogEvent> {
  const from = daemon.events.length
  for (let tries = 1; tries < TRIES; tries++) {
    await act()
    for (const begun = performance.now(); performance.now() - begun < TRY_TIME; await delay(5)) {
      const found = daemon.events.slice(from).find(isOurs)
      if (found !== undefined) return found
    }
  }
  await act()
  return await daemon.until(isOurs, from, 5_000)
}

/** Fails if the server lost its receiver. */
export function assertUnharmed({ events }: Daemon): void {
  assert.deepEqual(
    events.filter(({ event }) => event === 'receiver lost'),
    [],
  )
}

const FLOOD = `
import socket, sys, time
name, mac, path, seconds = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3], float(sys.argv[4])
frames = [bytes.fromhex(line) for line in open(path).read().split()]
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
print('begun', flush=True)
end = time.monotonic() + seconds; sent = 0
while time.monotonic() < end:
    for frame in frames:
        try: s.sendto(frame, (name, 0x0800 if frame[0] >> 4 == 4 else 0x86dd, 0, 0, mac)); sent += 1
        except OSError: pass
print('sent', sent, flush=True)
`

/**
 * The attacker sends IP packets as fast as it can while `act` runs.
 *
 * @param seconds how long it sends. @returns how many it sent.
 */
export async function flooded(
  { net, server, attacker }: CarrierHosts,
  frames: readonly Uint8Array[],
  seconds: number,
  act: () => Promise<void>,
): Promise<number> {
  const path = join(net.directory(), 'frames')
  writeFileSync(path, frames.map((frame) => Buffer.from(frame).toString('hex')).join('\n'))
  const link = JSON.parse(server.must(['ip', '-json', 'link', 'show', 'dev', 'eth1']))[0] as { address: string }
  const mac = link.address.replaceAll(':', '')
  const flood = attacker.start(['python3', '-c', FLOOD, 'eth0', mac, path, String(seconds)])
  await flood.says(/begun/)
  await act()
  const [, sent = '0'] = await flood.says(/sent (\d+)/)
  await flood.end()
  return Number(sent)
}
