/** What a start of the gateway needs besides its settings, for `ghostport gateway --check`. Changes nothing. */
import type { GatewayConfig } from '../../config/gateway/gateway-config.ts'
import { hasHttps } from '../../gateway/gateway.ts'
import { readCertificateFiles } from '../../http-server/server-certificate.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { readSecretFile } from '../../system/user-file.ts'
import { gatewayIdentity } from './identity.ts'

/** @returns why the start would fail: no such user, a certificate or a token that cannot be used. */
export async function checkGateway(config: GatewayConfig): Promise<Result<void, Failure>> {
  const become = gatewayIdentity(config.user)
  if (!become.ok) return become
  if (config.certificate !== undefined && hasHttps(config)) {
    const read = readCertificateFiles(config.certificate)
    if (!read.ok) return read
  }
  if (config.invitations === undefined) return ok(undefined)
  const { tokenFile } = config.invitations
  const { hashToken } = await import('../../gateway/invitations/routes.ts')
  const text = readSecretFile(tokenFile)
  const token = text.ok ? hashToken(tokenFile, text.value) : text
  return token.ok ? ok(undefined) : token
}
