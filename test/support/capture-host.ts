/** Capture on a test host, and senders towards it. */
import type { EventCapture, OpenedCapture } from '../../src/capture/capture.ts'
import { openPacketSockets, type PacketSocketOptions } from '../../src/capture/packet-socket/open.ts'
import { packetSocketCapture } from '../../src/capture/packet-socket/packet-socket.ts'
import type { Result } from '../../src/result.ts'
import { port } from '../../src/units.ts'
import { enter, type Host } from './netns.ts'
import { polled } from './polled.ts'
import { must } from './results.ts'

export const SPA_PORT = port(62201)

/** Opens sockets inside the network namespace of `host`, closed when the test disposes of them. */
export async function openOn(host: Host, open: () => Result<OpenedCapture>): Promise<OpenedCapture & Disposable> {
  const leave = await enter(host)
  try {
    const { fds, close } = must(open())
    return { fds, close, [Symbol.dispose]: close }
  } finally {
    leave()
  }
}

/** Packet sockets on `host`, closed when the test disposes of them. */
export async function packetSocketsOn(
  host: Host,
  interfaces: readonly string[] = [],
  options: Partial<PacketSocketOptions> = {},
): Promise<Disposable & { readonly capture: EventCapture; readonly opened: OpenedCapture }> {
  const bounds = { ports: [SPA_PORT], ...options }
  const opened = await openOn(host, () => openPacketSockets(bounds))
  return {
    opened,
    capture: polled(packetSocketCapture({ fds: opened.fds, interfaces, ...bounds })),
    [Symbol.dispose]: () => opened.close(),
  }
}
