/** Opens the capture sockets and the replay store of the configuration. Each failure says why. */
import { existsSync } from 'node:fs'
import type { OpenedCapture } from '../../capture/capture.ts'
import type { Clock } from '../../clock.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import { type CaptureConfig, capturedPorts, type ServerConfig } from '../../config/server/server-config.ts'
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
  /** One for each way of capture, in the order of the configuration. */
  readonly orders: readonly CaptureOrder[]
  /** Why the kernel would not have accepted a packet that these sockets saw. */
  readonly doubt: Doubt
  /** Does for interfaces that came, or came again, what was done for the others. Absent if there is nothing to do. */
  readonly renew?: () => void
  close(): void
}

/**
 * The sockets that packets come from. Without privilege, and if only plain UDP ports are needed, the receiver opens
 * them itself. No native part is loaded then.
 */
export async function openCaptures({ captures }: Pick<ServerConfig, 'captures'>): Promise<Result<CaptureSockets>> {
  if (process.getuid?.() !== 0 && captures.every(({ kind }) => kind === 'udp'))
    return ok({
      ...{ fds: [], doubt: believe, close: () => {} },
      orders: captures.map((config) => ({ config, sockets: 'own' })),
    })
  const opened: Pick<OpenedCapture, 'close' | 'renew'>[] = []
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
  if (captures.every(({ kind }) => kind !== 'packet')) return ok({ fds, orders, doubt: believe, close })
  const { openKernelRoutes } = await import('../../capture/packet-socket/kernel-routes.ts')
  const routes = openKernelRoutes(captures.some(({ promiscuous }) => promiscuous === true))
  if (!routes.ok) {
    close()
    return routes
  }
  opened.push(routes.value)
  const renewing = opened.filter(({ renew }) => renew !== undefined)
  const renew = (): void => {
    for (const one of renewing) one.renew?.()
  }
  return ok({ fds, orders, doubt: routes.value.doubt, close, ...(renewing.length > 0 && { renew }) })
}

/** The kernel itself has judged what a socket of TCP or UDP gets. It knows nothing of those in a file. */
const believe: Doubt = () => undefined

async function openSockets(config: CaptureConfig): Promise<Result<OpenedCapture>> {
  const { kind, ports: shared, filter, maxBytes, path = '' } = config
  const ports = capturedPorts(config)
  const onlySpa = config.showsAll !== true
  const bounds = { ports, ...(filter !== undefined && { filter }), maximumPayload: maxBytes, onlySpa }
  switch (kind) {
    case 'packet': {
      const { openPacketSockets } = await import('../../capture/packet-socket/open.ts')
      return openPacketSockets({
        ...bounds,
        ...(config.promiscuous && { promiscuous: config.interfaces }),
        ...(config.outgoing && { outgoing: true }),
      })
    }
    case 'udp': {
      const { openUdpSockets } = await import('../../capture/udp/open.ts')
      return openUdpSockets(bounds)
    }
    case 'tcp-server': {
      const { openTcpServer } = await import('../../capture/tcp-server/open.ts')
      const [port] = shared
      if (typeof port !== 'number') throw new Error('a TCP server without a port')
      return openTcpServer(port)
    }
    case 'pcap-file': {
      const { openPcapFile } = await import('../../capture/pcap-file/open.ts')
      return openPcapFile(path)
    }
    default:
      return kind satisfies never
  }
}

/**
 * Checks what {@link openCaptures} would say: opens the sockets and closes them again. Ports of a running ghostport are
 * no problem: the next one gets them when it has ended.
 */
export async function lookAtCapture({ server }: LoadedConfig): Promise<Result<readonly Notice[]>> {
  for (const capture of server.captures) {
    const opened = await openCaptures({ captures: [capture] })
    if (opened.ok) opened.value.close()
    else if (capture.kind === 'packet' || capture.kind === 'pcap-file' || (await refuseSecondInstance(server)).ok)
      return opened
  }
  return ok([])
}

/** @returns the store, with fwknop's own record imported; undefined if used packets are not remembered. */
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
  // If no setting names the file, it exists only on hosts where fwknopd ran. Elsewhere it may be missing.
  if (!store.ok || (!named && !existsSync(file))) return store
  const { importDigestCache } = await import('../../replay/import-fwknop.ts')
  const imported = importDigestCache(store.value, file, clock.now())
  if (!imported.ok) {
    // A file that was never written is no loss. Any other fault could make used packets new again.
    if (imported.failure.code !== 'CONFIG_UNREADABLE') return imported
    log.write('warning', 'import', { ...failureFields(imported.failure), file })
  } else if (!imported.value.unchanged) {
    const { imported: taken, outdated, known, malformed } = imported.value
    log.write('info', 'import', { file, taken, outdated, known, malformed })
  }
  return store
}
