/**
 * What a {@link HostLab} shows to those outside: nmap over all ports, and a client that tries some ports without a
 * pause while something happens, such as a reboot.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT, type HostLab, SERVER, STRANGER } from '../support/host-lab.ts'
import { opensToKnocks, rebootAndWait } from './traffic.ts'

/** A SYN to each port, over IPv4 and IPv6, every so many milliseconds. */
const EVERY = 25
/** Where a port is open: sshd drops connections if more than ten wait for a login (MaxStartups). */
const SELDOM = 400

/** Reports each answer of a port, by a connection or by a refusal: both show that the packet passed the gate. */
const PROBE = `
const { connect } = require('node:net')
const [ports, every, pairs] = JSON.parse(process.argv[1])
const counts = { open: 0, refused: 0, nothing: 0 }
function probe(host, localAddress, port) {
  const socket = connect({ host, port, localAddress })
  const end = (what) => {
    socket.removeAllListeners()
    socket.on('error', () => {})
    socket.destroy()
    counts[what]++
    if (what !== 'nothing') console.log(what, host, port)
  }
  socket.setTimeout(700, () => end('nothing'))
  socket.once('connect', () => end('open'))
  socket.once('error', ({ code }) => end(code === 'ECONNREFUSED' ? 'refused' : 'nothing'))
}
setInterval(() => {
  for (const [host, localAddress] of pairs) for (const port of ports) probe(host, localAddress, port)
}, every)
process.on('SIGTERM', () => {
  console.log(JSON.stringify(counts))
  process.exit()
})
console.log('probing')
`

/** How many tries had this end. */
export interface Counts {
  readonly open: number
  readonly refused: number
  /** No answer in 700 ms, or no way to the host. */
  readonly nothing: number
}

type Source = typeof CLIENT | typeof STRANGER

export interface Watched {
  /** Default: that of ssh. */
  readonly ports?: readonly number[]
  /** Default: the stranger. */
  readonly from?: Source
  /** Milliseconds between two tries. Default: {@link EVERY}. */
  readonly every?: number
  /** The fewest tries that prove something. Default: 10. */
  readonly atLeast?: number
}

/** What is found at the ports while `act` runs. */
export async function whatIsSeen(
  lab: HostLab,
  act: () => unknown,
  { ports = [22], from = STRANGER, every = EVERY, atLeast = 10 }: Watched = {},
): Promise<Counts> {
  const pairs = [
    [SERVER.four, from.four],
    [SERVER.six, from.six],
  ]
  const probe = lab.client.start([process.execPath, '-e', PROBE, JSON.stringify([ports, every, pairs])])
  await probe.says(/probing/)
  try {
    await act()
  } finally {
    // The last of them, to their end.
    await delay(1_000)
    await probe.stop()
  }
  const [, told = ''] = /(\{.*\})\s*$/.exec(probe.output) ?? []
  const counts = JSON.parse(told) as Counts
  assert.ok(counts.nothing + counts.open + counts.refused >= atLeast, told)
  return counts
}

/** No port answers a stranger while `act` runs: neither by a connection nor by a refusal. */
export async function isClosedDuring(lab: HostLab, act: () => unknown, watched?: Watched): Promise<void> {
  const { open, refused } = await whatIsSeen(lab, act, watched)
  assert.deepEqual({ open, refused }, { open: 0, refused: 0 })
}

/** Reboots. No port is open to a stranger in the whole boot; and the same probe sees the ports open after a knock. */
export async function shutWhileItBoots(lab: HostLab, watched: Watched = {}): Promise<void> {
  const { open } = await whatIsSeen(lab, () => rebootAndWait(lab), { atLeast: 100, ...watched })
  assert.equal(open, 0, 'open to a stranger while it boots')
  await opensToKnocks(lab)
  const seen = await whatIsSeen(lab, () => delay(500), { ...watched, from: CLIENT, every: SELDOM, atLeast: 2 })
  assert.ok(seen.open > 0, `the probe does not see an open port: ${JSON.stringify(seen)}`)
}

/** The TCP ports of all 65 535 that nmap finds open, over IPv4 and IPv6. */
export async function openPorts(lab: HostLab, from: Source = STRANGER): Promise<readonly (readonly number[])[]> {
  return await Promise.all(
    (['four', 'six'] as const).map(async (family) => {
      const words = ['-n', '-Pn', '-sS', '-p-', '--send-ip', '-S', from[family], '-e', 'br0', ...FAST, '-oG', '-']
      const nmap = lab.client.start(['nmap', ...(family === 'six' ? ['-6'] : []), ...words, SERVER[family]])
      assert.equal(await nmap.end(180_000), 0, nmap.output)
      assert.match(nmap.output, /1 host up/, nmap.output)
      return [...nmap.output.matchAll(/\b(\d+)\/open\/tcp\//g)].map(([, port]) => Number(port))
    }),
  )
}

/** A port that answers nothing is asked twice. */
const FAST = ['--min-rate', '6000', '--max-retries', '1', '--max-rtt-timeout', '200ms']

/** Nothing is open to a stranger at all, but for these ports. The one who knocked sees ssh with the same scan. */
export async function allPortsAreShut(lab: HostLab, except: readonly number[] = []): Promise<void> {
  assert.deepEqual(await openPorts(lab), [except, except], 'nmap finds open ports')
  await opensToKnocks(lab)
  for (const found of await openPorts(lab, CLIENT)) assert.ok(found.includes(22), `nmap does not see ssh: ${found}`)
}
