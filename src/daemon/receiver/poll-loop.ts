/**
 * The loop of a receiver on Linux: one thread that waits in poll(2) for the channel and for packets, and does what
 * came. It never returns to Node's event loop. So no packet waits for other work, an idle machine is not woken, and the
 * receiver needs few system calls.
 */

import { type Capture, type CaptureFailure, captureError } from '../../capture/capture.ts'
import { packetSocketCapture } from '../../capture/packet-socket/packet-socket.ts'
import { pcapFileCapture } from '../../capture/pcap-file/pcap-file.ts'
import { tcpServerCapture } from '../../capture/tcp-server/tcp-server.ts'
import { udpCapture } from '../../capture/udp/udp.ts'
import { monotonic } from '../../clock.ts'
import { capturedPorts } from '../../config/server/server-config.ts'
import { PollSet } from '../../system/poll-set.ts'
import { milliseconds } from '../../units.ts'
import type { CaptureOrder, ToReceiver } from '../link/protocol.ts'
import { type GiveUp, ReceiverDuty } from './duty.ts'
import { checkTagsFast } from './fast-tags.ts'
import { GnupgLine } from './gnupg-line.ts'
import { PolledChannel } from './polled-channel.ts'
import { VainWakes } from './vain-wakes.ts'

/** poll(2) takes no endless time that is above 0. */
const MOST_WAIT = milliseconds(60_000)
/** How long the sockets are left out after wake-ups in vain. */
const PAUSE = milliseconds(100)

/** A descriptor that packets come from, and who reads them there. */
interface Source {
  readonly capture: Capture
  readonly socket: number
}

/** The descriptors of captures, at one time. */
class Sources {
  readonly all: readonly Source[]
  readonly #captures: readonly Capture[]
  readonly #fds: readonly (readonly number[])[]
  readonly #timed: readonly Capture[]

  constructor(captures: readonly Capture[]) {
    this.#captures = captures
    this.#fds = captures.map(({ fds }) => fds)
    this.#timed = captures.filter(({ expire }) => expire !== undefined)
    this.all = captures.flatMap((capture) => capture.fds.map((socket) => ({ capture, socket })))
  }

  /** @returns this, unless they have changed. */
  now(): Sources {
    return this.#captures.every(({ fds }, i) => fds === this.#fds[i]) ? this : new Sources(this.#captures)
  }

  /** Captures in which packets may wait for more of them. */
  get timed(): readonly Capture[] {
    return this.#timed
  }

  /** Whether no more packets can come; and why not, if that was too early. */
  get end(): 'whole' | CaptureFailure | undefined {
    const ends = this.#captures.map(({ ended }) => ended)
    if (ends.length === 0 || ends.includes(undefined)) return undefined
    return ends.find((end) => end !== 'whole') ?? 'whole'
  }
}

/**
 * @param fd of the channel
 * @param longestLine of the warden's, in bytes
 * @param place where the descriptor is that the warden knows by this number
 */
export function receiveByPolling(
  fd: number,
  longestLine: number,
  giveUp: GiveUp,
  place: (descriptor: number) => number = (descriptor) => descriptor,
): never {
  const channel = new PolledChannel(fd, longestLine)
  let waiting = new PollSet([fd])
  let sources = new Sources([])
  let isNew = false
  let gnupg: GnupgLine | undefined
  /** The descriptors that no packets come from. */
  let heads: readonly number[] = [fd]
  /** Whether packets wait where they are, however long: in a file. */
  let canWait = false
  let endsWithFile = false
  const watch = (watched: Sources): void => {
    sources = watched
    heads = gnupg === undefined ? [fd] : [fd, gnupg.fd]
    waiting = new PollSet([...heads, ...sources.all.map(({ socket }) => socket)])
  }
  const duty = new ReceiverDuty({
    send: (message) => channel.send(message),
    backlog: () => channel.backlog,
    gnupg(descriptor) {
      gnupg = new GnupgLine(descriptor)
      const line = gnupg
      return (request) => line.send(request)
    },
    capture(orders) {
      const captures = orders.map(captureFor)
      watch(new Sources(captures))
      canWait = orders.every(({ config }) => config.kind === 'pcap-file')
      endsWithFile = orders.every(({ config }) => config.endsServer === true)
      isNew = true
      return captures
    },
  })
  // Before the privileges and the memory are limited. Without it, HMACs take four times as long.
  checkTagsFast()
  channel.send({ type: 'started' })
  const vain = new VainWakes()
  for (;;) {
    waiting.alsoWrite(0, channel.backlog > 0)
    if (vain.isPauseDue) waiting.wait(PAUSE, heads.length)
    else if (duty.isClosed || (canWait && duty.isBusy)) waiting.wait(untilNext(duty), heads.length)
    else waiting.wait(sources.timed.length === 0 ? untilNext(duty) : untilDue(duty, sources.timed))
    channel.flush()
    if (waiting.isReadable(0)) {
      const read = channel.read()
      if (!read.ok) giveUp(read.failure)
      const done = duty.onMessages((read.value as ToReceiver[]).map((message) => placed(message, place)))
      if (!done.ok) giveUp(done.failure)
    }
    if (isNew) {
      isNew = false
      duty.ready()
    }
    if (gnupg !== undefined && waiting.isReadable(1)) duty.onGnupg(gnupg.read())
    if (untilGnupg(duty) === 0) duty.expireGnupg()
    let isSocketReady = false
    let taken = 0
    // One batch of each in turn: where one is flooded, the others are heard all the same.
    for (const [i, { capture, socket }] of sources.all.entries())
      if (waiting.isReadable(heads.length + i)) {
        isSocketReady = true
        const before = capture.taken
        const packets = capture.receive(socket)
        taken += capture.taken - before
        if (packets.length > 0) duty.look(packets)
      }
    for (const capture of sources.timed) {
      const packets = (capture.dueAt ?? Number.POSITIVE_INFINITY) <= monotonic() ? capture.expire?.(monotonic()) : []
      if (packets !== undefined && packets.length > 0) duty.look(packets)
    }
    const changed = sources.now()
    if (changed !== sources) watch(changed)
    const { end } = sources
    if (end !== undefined && end !== 'whole') duty.finish(end)
    else if (end !== undefined && endsWithFile) duty.finish()
    if (untilReport(duty) === 0) duty.report()
    vain.woke(isSocketReady, taken)
  }
}

/** With the descriptors where they are. */
function placed(message: ToReceiver, place: (descriptor: number) => number): ToReceiver {
  if (message.type !== 'configure') return message
  const { captures, gnupg } = message
  return {
    ...message,
    captures: captures.map((order) =>
      order.sockets === 'own' ? order : { ...order, sockets: order.sockets.map(place) },
    ),
    ...(gnupg !== undefined && { gnupg: place(gnupg) }),
  }
}

/** In milliseconds; -1 while there is nothing to do by itself. */
function untilNext(duty: ReceiverDuty): number {
  const [report, gnupg] = [untilReport(duty), untilGnupg(duty)]
  return report < 0 || gnupg < 0 ? Math.max(report, gnupg) : Math.min(report, gnupg)
}

/** In milliseconds, rounded up; -1 while no answer of the GnuPG process is awaited. */
function untilGnupg({ gnupgDeadline }: ReceiverDuty): number {
  return gnupgDeadline === undefined ? -1 : Math.max(0, Math.ceil(gnupgDeadline - monotonic()))
}

/** In milliseconds, rounded up; -1 while there is nothing to report. */
function untilReport({ reportAt }: ReceiverDuty): number {
  return reportAt === undefined ? -1 : Math.max(0, Math.ceil(reportAt - monotonic()))
}

/** The same, or until packets that wait have waited long enough. */
function untilDue(duty: ReceiverDuty, timed: readonly Capture[]): number {
  const report = untilNext(duty)
  const times = timed.flatMap(({ dueAt }) => (dueAt === undefined ? [] : Math.max(0, Math.ceil(dueAt - monotonic()))))
  return Math.min(...times, report < 0 ? Number.POSITIVE_INFINITY : report, MOST_WAIT)
}

function captureFor({ config, sockets: fds }: CaptureOrder): Capture {
  if (fds === 'own') throw captureError({ code: 'CAPTURE_FAILED', detail: 'a receiver that polls opens no sockets' })
  const { filter, maxBytes } = config
  const bounds = { ports: capturedPorts(config), ...(filter !== undefined && { filter }), maximumPayload: maxBytes }
  switch (config.kind) {
    case 'packet': {
      const interfaces = config.interfaces === 'any' ? [] : config.interfaces
      return packetSocketCapture({ ...bounds, fds, interfaces })
    }
    case 'udp':
      return udpCapture({ ...bounds, fds })
    case 'tcp-server':
      return tcpServerCapture({ ...bounds, fd: fds[0] ?? -1 })
    case 'pcap-file':
      return pcapFileCapture({ ...bounds, fd: fds[0] ?? -1 })
    default:
      return config.kind satisfies never
  }
}
