/** What the warden opens, from the configuration: capture sockets and replay store. Each says clearly why it cannot. */
import { existsSync } from 'node:fs'
import type { OpenedCapture } from '../../capture/capture.ts'
import type { Clock } from '../../clock.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { CaptureConfig, ServerConfig } from '../../config/server/server-config.ts'
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
  /** For each way of capture one, in the order of the configuration. */
  readonly orders: readonly CaptureOrder[]
  /** Why the kernel would not have taken a packet that these sockets saw. */
  readonly doubt: Doubt
  close(): void
}

/**
 * The sockets that packets come from. Without privilege, where plain UDP ports are all that is asked for, the receiver opens
 * them itself, and nothing native is loaded.
 */
export async function openCaptures({ captures }: Pick<ServerConfig, 'captures'>): Promise<Result<CaptureSockets>> {
  if (process.getuid?.() !== 0 && captures.every(({ kind }) => kind === 'udp'))
    return ok({
      ...{ fds: [], doubt: believe, close: () => {} },
      orders: captures.map((config) => ({ config, sockets: 'own' })),
    })
  const opened: { close(): void }[] = []
  const close = (): void => {
    for (const one of opened) one.close()
  }
  const fds: number[] = []
  const orders: CaptureOrder[] = []
  for (const config of captures) {
    const sockets = await openSockets(config)
    if (!sockets.ok) {
      close()
      return sockets
    }
    opened.push(sockets.value)
    const inherited = sockets.value.fds.map((_, n) => captureDescriptor(fds.length + n))
    fds.push(...sockets.value.fds)
    orders.push({ config, sockets: inherited })
  }
  if (captures.every(({ kind }) => kind === 'udp')) return ok({ fds, orders, doubt: believe, close })
  const { openKernelRoutes } = await import('../../capture/packet-socket/kernel-routes.ts')
  const routes = openKernelRoutes()
  if (!routes.ok) {
    close()
    return routes
  }
  opened.push(routes.value)
  return ok({ fds, orders, doubt: routes.value.doubt, close })
}

/** The kernel itself has judged what a UDP socket gets. */
const believe: Doubt = () => undefined

async function openSockets({ kind, ports, maxBytes }: CaptureConfig): Promise<Result<OpenedCapture>> {
  const bounds = { ports, maximumPayload: maxBytes }
  switch (kind) {
    case 'packet': {
      const { openPacketSockets } = await import('../../capture/packet-socket/open.ts')
      return openPacketSockets(bounds)
    }
    case 'udp': {
      const { openUdpSockets } = await import('../../capture/udp/open.ts')
      return openUdpSockets(bounds)
    }
    default:
      return kind satisfies never
  }
}

/**
 * What {@link openCaptures} would say: sockets are opened and closed again. Ports that a running ghostport has are no
 * problem: the next one gets them when that one has ended.
 */
export async function lookAtCapture({ server }: LoadedConfig): Promise<Result<readonly Notice[]>> {
  for (const capture of server.captures) {
    const opened = await openCaptures({ captures: [capture] })
    if (opened.ok) opened.value.close()
    else if (capture.kind === 'packet' || (await refuseSecondInstance(server)).ok) return opened
  }
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
