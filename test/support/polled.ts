/** Drives a capture that is made for a poll(2) loop from the event loop of a test. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Capture, CapturedPacket, EventCapture } from '../../src/capture/capture.ts'
import { monotonic } from '../../src/clock.ts'
import { PollSet } from '../../src/system/poll-set.ts'

/** Packets are copied, because they are examined later. The capture is closed at the end. */
export function polled(capture: Capture): EventCapture {
  return {
    counters: () => capture.counters(),
    async run(deliver, signal, ready) {
      if (signal.aborted) return
      let { fds } = capture
      let waiting = new PollSet(fds)
      const handOn = (packets: readonly CapturedPacket[]): void => {
        if (packets.length > 0) deliver(packets.map((packet) => ({ ...packet, payload: packet.payload.slice() })))
      }
      try {
        ready()
        for (; !signal.aborted; await turn()) {
          waiting.wait(0)
          for (const [i, fd] of fds.entries()) if (waiting.isReadable(i)) handOn(capture.receive(fd))
          if (capture.dueAt !== undefined && capture.dueAt <= monotonic()) handOn(capture.expire?.(monotonic()) ?? [])
          if (capture.fds === fds) continue
          fds = capture.fds
          waiting = new PollSet(fds)
        }
      } finally {
        capture.close()
      }
    },
  }
}
