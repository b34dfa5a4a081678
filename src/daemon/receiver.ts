/**
 * The program that reads what strangers send. It gives up all privilege first, and makes sure that it has none; gets its packets
 * from descriptors that the warden opened; has the kernel refuse it all that it does not need; and tells the warden about
 * packets that some key opened. What it may not do, it cannot: it holds no firewall, no replay store and no file.
 *
 * Started by the warden only, with the channel as descriptor 4. With `--become UID:GID` it starts as root, with few capabilities,
 * and changes user before it is told its configuration.
 */
import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { StanzaIndex } from '../access/matching.ts'
import { OpenerMemory } from '../access/opener-memory.ts'
import type { Capture, CapturedPacket } from '../capture/capture.ts'
import { type CaptureThread, createPacketSocketCapture, startCaptureThread } from '../capture/packet-socket.ts'
import { adoptUdpCapture, createUdpCapture } from '../capture/udp.ts'
import { filesFromSnapshot } from '../config/config-files.ts'
import type { CaptureConfig } from '../config/server-config.ts'
import { failureKinds } from '../failure-codes.ts'
import { RECEIVER_TITLE, setProcessTitle } from '../own-process.ts'
import type { Failure } from '../result.ts'
import { becomeUnprivileged, parseBecome } from './become.ts'
import { openChannel } from './channel.ts'
import { loadConfig } from './load-config.ts'
import { CHANNEL_DESCRIPTOR, PACKET_THREAD_OPTION } from './privilege.ts'
import { type CaptureOrder, type FromReceiver, LONGEST_DETAIL, type ToReceiver } from './protocol.ts'
import { ReceiveLoop } from './receive-loop.ts'
import { limitReceiver } from './receiver-limits.ts'
import { confineReceiver } from './seccomp.ts'

/** The configuration of ten thousand stanzas is some megabytes. */
const LONGEST_WORD_OF_THE_WARDEN = 256 * 1024 * 1024
/** How long after a packet the warden gets the new numbers, in milliseconds. */
const TALLY_DELAY = 50

/** Says why, to the warden, and ends. */
function giveUp(failure: Failure): never {
  const { code, detail } = failure
  const word: FromReceiver = { say: 'failed', code, detail: detail.slice(0, LONGEST_DETAIL) }
  try {
    writeSync(CHANNEL_DESCRIPTOR, `${JSON.stringify(word)}\n`)
  } catch {
    // No warden hears it.
  }
  process.exit(failureKinds[failure.code].exit)
}

function captureFor(order: CaptureOrder, config: CaptureConfig, thread: CaptureThread | undefined): Capture {
  const bounds = { ports: config.ports, maximumPayload: config.maxBytes }
  switch (order.kind) {
    case 'packet-socket':
      return createPacketSocketCapture({
        ...bounds,
        ...(thread !== undefined && { thread }),
        fds: order.fds,
        interfaces: config.interfaces === 'any' ? [] : config.interfaces,
      })
    case 'udp-sockets':
      return adoptUdpCapture({ ...bounds, fds: order.fds })
    case 'own-udp':
      return createUdpCapture(bounds)
    default:
      return order satisfies never
  }
}

async function main(): Promise<void> {
  setProcessTitle(RECEIVER_TITLE)
  const become = parseBecome(process.argv)
  if (!become.ok) giveUp(become.failure)
  let thread: CaptureThread | undefined
  const unprivileged = await becomeUnprivileged(become.value, async () => {
    if (process.argv.includes(PACKET_THREAD_OPTION)) thread = await startCaptureThread()
  })
  if (!unprivileged.ok) giveUp(unprivileged.failure)
  // Ctrl-C in a terminal goes to the whole group; when to end is the warden's decision.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})

  let loop: ReceiveLoop | undefined
  let tellTally: (() => void) | undefined
  const say = (word: FromReceiver): void => channel.send(word)
  const channel = openChannel(
    new Socket({ fd: CHANNEL_DESCRIPTOR }),
    {
      onValues: (values) => {
        for (const value of values as ToReceiver[]) hear(value)
      },
      onBroken: (why) => giveUp({ code: 'WARDEN_GONE', detail: `the channel to the warden broke: ${why}` }),
      onEnd: () =>
        giveUp({
          code: 'WARDEN_GONE',
          detail: 'the warden ended; nothing can be opened, and what is open ends at its second. Start ghostport again',
        }),
    },
    LONGEST_WORD_OF_THE_WARDEN,
  )

  const hear = (word: ToReceiver): void => {
    if (word.say === 'alive?') {
      say({ say: 'alive' })
      return
    }
    if (word.say === 'tally?') {
      tellTally?.()
      return
    }
    if (word.say !== 'configure') {
      loop?.[word.say](word.digests)
      return
    }
    const files = filesFromSnapshot(word.files)
    const loaded = loadConfig(files, word.paths)
    // The warden parsed the same texts and found them good.
    if (!loaded.ok) giveUp(loaded.failure)
    const { server, policy } = loaded.value
    const receiving = { policy, index: new StanzaIndex(policy.stanzas), openers: new OpenerMemory() }
    if (loop === undefined) {
      loop = new ReceiveLoop(receiving, server.refusalsPerSecond, say, () => channel.backlog)
      begin(loop, word.capture, captureFor(word.capture, server.capture, thread))
    } else {
      loop.reconfigure(receiving, server.refusalsPerSecond)
    }
    say({ say: 'configured', generation: word.generation })
  }

  const begin = (started: ReceiveLoop, order: CaptureOrder, capture: Capture): void => {
    const onReady = (): void => {
      // From here on strangers have a word. Nothing that it needs now is out of reach: all its code is loaded.
      const captureSockets = order.kind === 'own-udp' ? [] : order.fds
      const limited = limitReceiver()
      const confinement = confineReceiver({ captureSockets, pid: process.pid })
      const confined = confinement.ok ? limited : confinement
      say({ say: 'ready', ...(!confined.ok && { unconfined: confined.failure.detail.slice(0, LONGEST_DETAIL) }) })
    }
    tellTally = () => started.tally(capture.counters().dropped)
    let reportDue = false
    const reportSoon = (): void => {
      if (reportDue) return
      reportDue = true
      setTimeout(() => {
        reportDue = false
        // What was folded is told once a second, and the last of it is told although nothing comes any more.
        if (started.report(capture.counters().dropped) === 'more to tell') reportSoon()
      }, TALLY_DELAY)
    }
    const deliver = (packets: readonly CapturedPacket[]): void => {
      started.look(packets)
      reportSoon()
    }
    capture.run(deliver, new AbortController().signal, onReady).catch((error: Error) => {
      const failure = (error.cause as Failure | undefined) ?? { code: 'CAPTURE_FAILED', detail: error.message }
      giveUp(failure)
    })
  }
  say({ say: 'started' })
}

await main().catch((error: Error) =>
  giveUp((error.cause as Failure | undefined) ?? { code: 'RECEIVER_GONE', detail: error.message }),
)
