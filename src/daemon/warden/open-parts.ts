/** What the warden opens, from the configuration: capture sockets and replay store. Each says clearly why it cannot. */
import { existsSync } from 'node:fs'
import type { OpenedCapture } from '../../capture/capture.ts'
import type { Clock } from '../../clock.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { failureFields, type Log } from '../../log.ts'
import type { ReplayStore } from '../../replay/replay-store.ts'
import { ok, type Result } from '../../result.ts'
import type { CaptureOrder } from '../link/protocol.ts'
import { captureDescriptor } from '../link/receiver-start.ts'
import type { Doubt } from './admission/judge-believed.ts'
import { refuseSecondInstance } from './running-instance.ts'

/** Descriptors for the receiver to inherit, and what it is told of them. */
export interface CaptureSockets {
  readonly fds: readonly number[]
  readonly order: CaptureOrder
  /** Why the kernel would not have taken a packet that these sockets saw. */
  readonly doubt: Doubt
  close(): void
}

/**
 * The sockets that packets come from. Without privilege, where a plain UDP port is all that is asked for, the receiver opens
 * it itself, and nothing native is loaded.
 */
export async function openCapture({ capture }: ServerConfig): Promise<Result<CaptureSockets>> {
  const bounds = { ports: capture.ports, maximumPayload: capture.maxBytes }
  if (capture.kind === 'udp' && process.getuid?.() !== 0)
    return ok({ fds: [], order: { kind: 'own-udp' }, doubt: believe, close: () => {} })
  const opened = await openSockets(capture.kind, bounds)
  if (!opened.ok) return opened
  const { fds } = opened.value
  const inherited = fds.map((_, n) => captureDescriptor(n))
  if (capture.kind === 'udp')
    return ok({
      ...{ fds, doubt: believe, close: () => opened.value.close() },
      order: { kind: 'udp-sockets', fds: inherited },
    })
  const { openKernelRoutes } = await import('../../capture/packet-socket/kernel-routes.ts')
  const routes = openKernelRoutes()
  if (!routes.ok) {
    opened.value.close()
    return routes
  }
  const close = (): void => {
    opened.value.close()
    routes.value.close()
  }
  return ok({ fds, order: { kind: 'packet-socket', fds: inherited }, doubt: routes.value.doubt, close })
}

/** The kernel itself has judged what a UDP socket gets. */
const believe: Doubt = () => undefined

async function openSockets(
  kind: 'packet' | 'udp',
  bounds: { ports: ServerConfig['capture']['ports']; maximumPayload: number },
): Promise<Result<OpenedCapture>> {
  if (kind === 'packet') {
    const { openPacketSockets } = await import('../../capture/packet-socket/open.ts')
    return openPacketSockets(bounds)
  }
  const { openUdpSockets } = await import('../../capture/udp/open.ts')
  return openUdpSockets(bounds)
}

/**
 * What {@link openCapture} would say: sockets are opened and closed again. Ports that a running ghostport has are no
 * problem: the next one gets them when that one has ended.
 */
export async function lookAtCapture({ server }: LoadedConfig): Promise<Result<readonly Notice[]>> {
  const opened = await openCapture(server)
  if (opened.ok) opened.value.close()
  else if (server.capture.kind === 'packet' || (await refuseSecondInstance(server)).ok) return opened
  return ok([])
}

/** @returns the store with fwknop's own record taken over; undefined where used packets are not to be remembered. */
export async function openReplays(
  { replay, policy }: ServerConfig,
  clock: Clock,
  log: Log,
): Promise<Result<ReplayStore | undefined>> {
  if (!policy.refuseReplays) return ok(undefined)
  const { openSqliteReplayStore } = await import('../../replay/sqlite.ts')
  const store = openSqliteReplayStore({
    ...{ path: replay.database, maxAge: policy.maxAge, share: replay.packetsPerKey },
  })
  const { path: file, named } = replay.fwknopDigests
  // Who comes from fwknop has the file at its place without having named it; who never had fwknop has none.
  if (!store.ok || (!named && !existsSync(file))) return store
  const { importDigestCache } = await import('../../replay/import-fwknop.ts')
  const imported = importDigestCache(store.value, file, clock.now())
  if (!imported.ok) {
    // Never written yet is no loss; anything else could make used packets new again.
    if (imported.failure.code !== 'CONFIG_UNREADABLE') return imported
    log.write('warning', 'import', { ...failureFields(imported.failure), file })
  } else if (!imported.value.unchanged) {
    const { imported: taken, outdated, known, malformed } = imported.value
    log.write('info', 'import', { file, taken, outdated, known, malformed })
  }
  return store
}
