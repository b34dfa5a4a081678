/** `ghostport gateway renew`: gives a renewed certificate to the gateway that runs. */
import { join } from 'node:path'
import type { GatewayConfig } from '../../config/gateway/gateway-config.ts'
import { hasHttps } from '../../gateway/gateway.ts'
import { handOverCertificate } from '../../http-server/certificate-door.ts'
import { readCertificateFiles } from '../../http-server/server-certificate.ts'
import { refuse } from '../../result.ts'
import { StateFolder } from '../../system/state-folder.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { gatewayIdentity } from './identity.ts'

/** The socket of the gateway that runs, in its state folder. */
export const RENEW_SOCKET = 'renew.sock'

/** @param operands `renew`, and nothing more. */
export async function renewCertificate(
  [, more]: readonly string[],
  config: GatewayConfig,
  terminal: Terminal,
): Promise<Outcome> {
  if (more !== undefined) return refuse('CLI_USAGE', `unexpected argument “${more}”`)
  if (config.certificate === undefined || !hasHttps(config)) {
    terminal.print('There is nothing to renew: gateway.conf names no CERTIFICATE_FILE.')
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
  terminal.print(`The gateway uses the certificate ${taken.value.fingerprint}, valid until ${taken.value.until}.`)
  return 0
}
