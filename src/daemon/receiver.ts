/**
 * The program that reads what strangers send. It starts without privilege, makes sure that it has none, gets its packets
 * from descriptors that the warden opened, and tells the warden about those that some key opened. What it may not do, it cannot: it
 * holds no firewall, no replay store and no file.
 *
 * Started by the warden only, with the channel as descriptor 4. Where the receiver's user cannot read the program itself (a
 * checkout under /root), it is started as root with `--become UID:GID` and changes user once its threads run, before
 * it looks at the first packet.
 */
import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { StanzaIndex } from '../access/matching.ts'
import { OpenerMemory } from '../access/opener-memory.ts'
import type { Capture, CapturedPacket } from '../capture/capture.ts'
import { createPacketSocketCapture } from '../capture/packet-socket.ts'
import { adoptUdpCapture, createUdpCapture } from '../capture/udp.ts'
import { filesFromSnapshot } from '../config/config-files.ts'
import type { CaptureConfig } from '../config/server-config.ts'
import { failureKinds } from '../failure-codes.ts'
import { journalPrefix } from '../journal-stream.ts'
import { failureFields, jsonLog } from '../log.ts'
import { RECEIVER_TITLE, setProcessTitle } from '../process-title.ts'
import type { Failure } from '../result.ts'
import { becomeAccount, type Identity, renouncePrivileges } from './become.ts'
import { openChannel } from './channel.ts'
import { loadConfig } from './load-config.ts'
import { assertUnprivileged, CHANNEL_DESCRIPTOR } from './privilege.ts'
import { type CaptureOrder, type FromReceiver, LONGEST_DETAIL, type ToReceiver } from './protocol.ts'
import { ReceiveLoop } from './receive-loop.ts'

/** The configuration of ten thousand stanzas is some megabytes. */
const LONGEST_WORD_OF_THE_WARDEN = 256 * 1024 * 1024
/** How long after a packet the warden gets the new numbers, in milliseconds. */
const TALLY_DELAY = 50

const log = jsonLog(
  (line) => process.stderr.write(line),
  () => new Date(),
  journalPrefix(2),
)

/** Says why, to the warden and where the operator can read it also if the warden is dead, and ends. */
function giveUp(failure: Failure): never {
  const { code, detail } = failure
  const word: FromReceiver = { say: 'failed', code, detail: detail.slice(0, LONGEST_DETAIL) }
  try {
    writeSync(CHANNEL_DESCRIPTOR, `${JSON.stringify(word)}\n`)
  } catch {
    // No warden hears it.
  }
  log.write('error', 'receiver stops', failureFields(failure))
  process.exit(failureKinds[failure.code].exit)
}

function captureFor(order: CaptureOrder, config: CaptureConfig): Capture {
  const bounds = { ports: config.ports, maximumPayload: config.maxBytes }
  switch (order.kind) {
    case 'packet-socket':
      return createPacketSocketCapture({
        ...bounds,
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

function main(): void {
  setProcessTitle(RECEIVER_TITLE)
  const become = parseBecome(process.argv)
  if (become === undefined) requireNoPrivilege()
  else renouncePrivileges()
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
      begin(loop, captureFor(word.capture, server.capture))
    } else {
      loop.reconfigure(receiving, server.refusalsPerSecond)
    }
    say({ say: 'configured', generation: word.generation })
  }

  const begin = (started: ReceiveLoop, capture: Capture): void => {
    const onReady = (): void => {
      if (become !== undefined) {
        const became = becomeAccount(become)
        if (!became.ok) giveUp(became.failure)
        requireNoPrivilege()
      }
      say({ say: 'ready' })
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
}

function requireNoPrivilege(): void {
  const privileges = assertUnprivileged()
  if (!privileges.ok) giveUp(privileges.failure)
}

function parseBecome(argv: readonly string[]): Identity | undefined {
  const at = argv.indexOf('--become')
  if (at < 0) return undefined
  const [uid, gid] = (argv[at + 1] ?? '').split(':').map(Number)
  if (!Number.isInteger(uid) || !Number.isInteger(gid) || uid === undefined || gid === undefined)
    return giveUp({ code: 'CLI_USAGE', detail: '--become UID:GID' })
  return { uid, gid }
}

main()
