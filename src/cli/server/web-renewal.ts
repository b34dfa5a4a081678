/**
 * A renewed certificate for the gateway or the console that runs, which may not read its key. Two ways: a command that
 * root runs hands it over, and at SIGHUP the server reads the files by itself, where its user may.
 */
import { join } from 'node:path'
import { handOverCertificate, openCertificateDoor } from '../../http-server/certificate-door.ts'
import type { RenewableCertificate } from '../../http-server/renewable-certificate.ts'
import {
  type CertificateFiles,
  readCertificateFiles,
  type ServerCertificate,
} from '../../http-server/server-certificate.ts'
import type { Log } from '../../log.ts'
import { type Failure, type Result, refuse } from '../../result.ts'
import { StateFolder } from '../../system/state-folder.ts'
import type { Outcome } from '../command.ts'
import { gatewayIdentity } from '../gateway/identity.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** The socket of the server that runs, in its state folder. */
const RENEW_SOCKET = 'renew.sock'

/** Both have these settings. */
interface RenewalSettings {
  readonly certificate?: CertificateFiles
  readonly listen: readonly { readonly kind: string }[]
  readonly stateFolder: string
  readonly user: Parameters<typeof gatewayIdentity>[0]
}

/** @returns what closes the first way. */
export async function openRenewal(
  files: CertificateFiles | undefined,
  state: StateFolder,
  server: RenewableCertificate,
  command: 'gateway' | 'console',
  log: Log,
): Promise<() => void> {
  const tell = (taken: Result<ServerCertificate, Failure>): void => {
    if (taken.ok)
      log.write('info', 'certificate', {
        fingerprint: taken.value.fingerprint,
        valid_until: taken.value.validUntil.toISOString(),
      })
    else
      log.write('warning', 'certificate', {
        refused: taken.failure.code,
        detail: taken.failure.detail,
        text: 'The old certificate stays in use.',
        cure: `as root: ghostport ${command} renew`,
      })
  }
  // Without this, the signal would end the server.
  process.on('SIGHUP', () => {
    log.write('info', 'signal', { signal: 'SIGHUP' })
    if (files === undefined || server.certificate === undefined) return
    const read = readCertificateFiles(files)
    tell(read.ok ? server.renew(read.value.tls) : read)
  })
  if (files === undefined || server.certificate === undefined) return () => {}
  const opened = await openCertificateDoor(join(state.path, RENEW_SOCKET), (pair) => {
    const taken = server.renew(pair)
    tell(taken)
    return taken
  })
  if (opened.ok) return opened.value
  log.write('warning', 'notice', {
    text: `A renewed certificate needs a restart: ${opened.failure.detail}.`,
    ...(opened.failure.suggestion === undefined ? {} : { cure: opened.failure.suggestion }),
  })
  return () => {}
}

/** `ghostport gateway renew` and `ghostport console renew`. @param operands `renew`, and nothing more. */
export async function renewCertificate(
  [, more]: readonly string[],
  config: RenewalSettings,
  command: 'gateway' | 'console',
  terminal: Terminal,
): Promise<Outcome> {
  if (more !== undefined) return refuse('CLI_USAGE', `unexpected argument “${more}”`)
  if (config.certificate === undefined || !config.listen.some(({ kind }) => kind === 'https')) {
    terminal.print(`There is nothing to renew: ${command}.conf names no CERTIFICATE_FILE.`)
    return 0
  }
  const become = gatewayIdentity(config.user)
  if (!become.ok) return become
  const state = StateFolder.open(config.stateFolder, become.value)
  if (!state.ok) return state
  // Judged here too: the message can then name the files.
  const read = readCertificateFiles(config.certificate)
  if (!read.ok) return read
  const taken = await handOverCertificate(join(state.value.path, RENEW_SOCKET), read.value.tls)
  if (!taken.ok) return taken
  terminal.print(`The ${command} uses the certificate ${taken.value.fingerprint}, valid until ${taken.value.until}.`)
  return 0
}
