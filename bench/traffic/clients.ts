/**
 * All clients in one process, inside the client host. A door is open when a fresh SYN is answered by SYN-ACK: then
 * `connect()` would succeed. The kernel of this host does not know the connection and resets it.
 */

import { acceptedClient, setSourcePort, synPacket, udpPacket } from './ipv4.ts'
import type {
  FloodAnswer,
  FloodQuestion,
  KnockPacket,
  LatencyAnswer,
  LatencyQuestion,
  Opening,
  Question,
  ServerAddress,
  WatchAnswer,
  WatchQuestion,
} from './questions.ts'
import { PacketBatch, PacketSender, TcpListener } from './raw-sockets.ts'

/** How often the measured client tries the door: the resolution of the latency. */
const TRY_EVERY = 0.5
const FLOOD_SOURCES = 0x0a4d8000 // 10.77.128.0

const sender = new PacketSender()
const listener = new TcpListener()

process.on('message', (question: Question) => process.send?.(answer(question)))
process.on('disconnect', () => process.exit())
process.send?.('ready')

function answer(question: Question): LatencyAnswer | WatchAnswer | FloodAnswer {
  switch (question.ask) {
    case 'latency':
      return latency(question)
    case 'watch':
      return watch(question)
    case 'flood':
      return flood(question)
    default:
      return question satisfies never
  }
}

function latency({ server, knocks, gapMilliseconds, deadlineMilliseconds }: LatencyQuestion): LatencyAnswer {
  const datagrams = datagramsOf(knocks, server)
  const attempts = attemptsOf(
    knocks.map(({ source }) => source),
    server,
  )
  const [least, most] = gapMilliseconds
  return knocks.map(({ source }, i) => {
    pause(least + Math.random() * (most - least))
    forgetAnswers()
    const sent = performance.now()
    sender.send(datagrams, i, 1)
    for (let tried = sent; ; tried += TRY_EVERY) {
      attempt(attempts, i)
      do {
        for (let packet = listener.next(); packet !== undefined; packet = listener.next()) {
          if (acceptedClient(packet, server.doorPort) === source) return performance.now() - sent
        }
        listener.wait(tried + TRY_EVERY - performance.now())
      } while (performance.now() < tried + TRY_EVERY)
      if (performance.now() - sent > deadlineMilliseconds) return null
    }
  })
}

function watch(question: WatchQuestion): WatchAnswer {
  const { server, knocks, onlookers, knocksPerSecond, tryEveryMilliseconds, watchUntil } = question
  const sources = [...knocks.map(({ source }) => source), ...onlookers]
  const datagrams = datagramsOf(knocks, server)
  const attempts = attemptsOf(sources, server)
  const indexOf = new Map(sources.map((source, i) => [source, i]))
  const openings = new Array<Opening | null>(sources.length).fill(null)
  let [knocked, tried, changed, nextTry] = [0, 0, 0, 0]
  forgetAnswers()
  const started = performance.now()
  const clock = (): number => performance.now() - started

  const listen = (): void => {
    for (let packet = listener.next(); packet !== undefined; packet = listener.next()) {
      const i = indexOf.get(acceptedClient(packet, server.doorPort) ?? -1)
      if (i === undefined) continue
      const now = clock()
      openings[i] = { first: openings[i]?.first ?? now, last: now }
      changed = now
    }
  }
  const isWatched = (i: number, now: number): boolean => {
    const opening = openings[i] ?? null
    if (watchUntil === 'open') return opening === null
    // Closed: several attempts in a row went without an answer.
    return opening === null || now - opening.last < 6 * tryEveryMilliseconds
  }

  for (let now = 0; now < question.endAfterMilliseconds; now = clock()) {
    const due = Math.min(knocks.length, knocksPerSecond === Infinity ? knocks.length : (now * knocksPerSecond) / 1000)
    if (Math.floor(due) > knocked) {
      sender.send(datagrams, knocked, Math.floor(due) - knocked)
      knocked = Math.floor(due)
      changed = now
    }
    if (now >= nextTry) {
      tried = 0
      for (let i = 0; i < sources.length; i++) {
        if ((i >= knocked && i < knocks.length) || !isWatched(i, now)) continue
        attempt(attempts, i)
        if (++tried % 64 === 0) listen()
      }
      nextTry = now + tryEveryMilliseconds
      if (tried === 0 && knocked === knocks.length) break
    }
    listen()
    if (clock() - changed > question.endIdleMilliseconds) break
    listener.wait(Math.min(nextTry - clock(), knocked < knocks.length ? 1 : Number.POSITIVE_INFINITY))
  }
  return openings
}

function flood({ server, payloads, packetsPerSecond, milliseconds }: FloodQuestion): FloodAnswer {
  const batch = datagramsOf(
    payloads.map((payload, i) => ({ source: FLOOD_SOURCES + i, payload })),
    server,
  )
  const started = performance.now()
  let sent = 0
  for (;;) {
    const elapsed = performance.now() - started
    if (elapsed >= milliseconds) return { sent, milliseconds: elapsed }
    const due = Math.floor((elapsed * packetsPerSecond) / 1000) - sent
    const first = sent % batch.size
    const count = Math.min(due, batch.size - first)
    if (count > 0) {
      sender.send(batch, first, count)
      sent += count
    } else pause(1)
  }
}

function datagramsOf(knocks: readonly KnockPacket[], { address, spaPort }: ServerAddress): PacketBatch {
  const packets = knocks.map(({ source, payload }, i) =>
    udpPacket({ address: source, port: 20_000 + (i % 40_000) }, { address, port: spaPort }, payload),
  )
  return new PacketBatch(packets, address)
}

function attemptsOf(sources: readonly number[], { address, doorPort }: ServerAddress): PacketBatch {
  const packets = sources.map((source) => synPacket({ address: source, port: 1 }, { address, port: doorPort }))
  return new PacketBatch(packets, address)
}

let lastPort = 10_000

/** A fresh port: one that was not used for a long time. */
function attempt(attempts: PacketBatch, i: number): void {
  lastPort = lastPort < 60_000 ? lastPort + 1 : 10_000
  const packet = attempts.packets[i]
  if (packet === undefined) return
  setSourcePort(packet, lastPort)
  sender.send(attempts, i, 1)
}

/** Late answers to attempts that are over. */
function forgetAnswers(): void {
  while (listener.next() !== undefined);
}

function pause(milliseconds: number): void {
  const end = performance.now() + milliseconds
  for (let left = milliseconds; left > 0; left = end - performance.now()) {
    listener.wait(left)
    forgetAnswers()
  }
}
