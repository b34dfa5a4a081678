/** What the gateway and the console do alike, as programs that run until a signal ends them. */
import type { Notice } from '../../config/reading/notice.ts'
import { noServiceManager, type ServiceManager, serviceManager } from '../../daemon/warden/service-manager.ts'
import { type Bundle, readBundle } from '../../http-server/bundle.ts'
import type { OwnCertificate } from '../../http-server/certificate.ts'
import type { HttpServer } from '../../http-server/server.ts'
import type { Log } from '../../log.ts'
import { formatHostPort } from '../../packet/address.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { forbidInspector, keepMemoryOutOfCores, setProcessTitle, shutInspector } from '../../system/own-process.ts'
import { closeMemory } from '../../system/privilege.ts'
import { milliseconds } from '../../units.ts'
import { builtPage } from '../built-page.ts'
import { stopSignal } from './stop-signal.ts'

/** For the last lines of the log. */
export const LAST_LINES_TIME = milliseconds(1000)

/** The first step. @returns PROCESS_EXPOSED if others could look into the process. */
export async function beginWebProcess(title: string): Promise<Result<void, Failure<'PROCESS_EXPOSED'>>> {
  const forbidden = forbidInspector()
  if (!forbidden.ok) return forbidden
  const shut = await shutInspector()
  if (!shut.ok) return shut
  keepMemoryOutOfCores()
  closeMemory()
  setProcessTitle(title)
  return ok(undefined)
}

/** Its page, if this package has it. */
export function pageBundle(page: Parameters<typeof builtPage>[0]): Bundle | undefined {
  const bundle = readBundle(builtPage(page))
  return bundle.ok ? bundle.value : undefined
}

/** systemd, where it started this process. */
export function ownServiceManager(): ServiceManager {
  const found = serviceManager(process.env)
  return found.ok ? found.value : noServiceManager
}

export function tellNotices(log: Log, notices: readonly Notice[]): void {
  for (const { level, text, cure, at } of notices)
    log.write(level, 'notice', {
      text,
      ...(cure === undefined ? {} : { cure }),
      ...(at === undefined ? {} : { file: at.file, line: at.line }),
    })
}

/** Where it answers, and as whom. */
export function tellReady(
  log: Log,
  { http, certificate }: { readonly http: HttpServer; readonly certificate: OwnCertificate | undefined },
  bundle: Bundle | undefined,
): void {
  log.write('info', 'ready', {
    listening: http.listening.map((at) =>
      at.kind === 'unix' ? `unix:${at.path}` : formatHostPort(at.address, at.port),
    ),
    ...(certificate === undefined
      ? {}
      : {
          fingerprint: certificate.fingerprint,
          self_signed: certificate.selfSigned,
          valid_until: certificate.validUntil.toISOString(),
        }),
    ...(bundle === undefined ? {} : { page: bundle.hash }),
  })
}

/** Resolves when a signal asks for the end. */
export async function untilSignal(log: Log): Promise<void> {
  log.write('info', 'signal', { signal: await stopSignal() })
}
