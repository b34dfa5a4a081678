/** Drives a capture that is made for a poll(2) loop from the event loop of a test. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Capture, EventCapture } from '../../src/capture/capture.ts'
import { PollSet } from '../../src/system/poll-set.ts'

/** Packets are copied, because they are examined later. The capture is closed at the end. */
export function polled(capture: Capture): EventCapture {
  return {
    counters: () => capture.counters(),
    async run(deliver, signal, ready) {
      if (signal.aborted) return
      const waiting = new PollSet(capture.fds)
      try {
        ready()
        for (; !signal.aborted; await turn()) {
          waiting.wait(0)
          for (const [i, fd] of capture.fds.entries()) {
            if (!waiting.isReadable(i)) continue
            const packets = capture.receive(fd).map((packet) => ({ ...packet, payload: packet.payload.slice() }))
            if (packets.length > 0) deliver(packets)
          }
        }
      } finally {
        capture.close()
      }
    },
  }
}
