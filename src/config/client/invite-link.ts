/** The link of an invitation: `https://gate.example.org/invite#3f9a-…`. What is behind the “#” stays in the browser. */
import { formatSecret, type InvitationSecret, parseSecretDigits } from '../../packet/invitation-secret.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { formatGatewayUrl, type GatewayUrl, parseGatewayUrls } from './gateway-urls.ts'

export const INVITE_PATH = '/invite'
const LONGEST = 400

export interface InviteLink {
  readonly gateway: GatewayUrl
  /** Absent: it is to be asked for. */
  readonly secret?: InvitationSecret
}

/** Whether a text means to be such a link. */
export function isInviteLink(text: string): boolean {
  return /^\s*https?:\/\/[^\s/#?]*\/invite(?:#|\s*$)/i.test(text)
}

export function formatInviteLink(gateway: GatewayUrl, secret: InvitationSecret): string {
  return `${formatGatewayUrl(gateway)}${INVITE_PATH}#${formatSecret(secret)}`
}

/** @returns the gateway and the secret; a failure never quotes the secret. */
export function parseInviteLink(text: string): Result<InviteLink, Failure<'INVITATION_INVALID'>> {
  const [, base = '', , digits = ''] = /^(https?:\/\/[^\s/#?]{1,300})\/invite(#([\s\S]*))?$/i.exec(text.trim()) ?? []
  if (base === '' || text.length > LONGEST)
    return refuse('INVITATION_INVALID', 'the link of an invitation is https://HOST/invite#SECRET')
  const [gateway] = gatewayOf(base)
  if (gateway === undefined) return refuse('INVITATION_INVALID', 'the link does not begin with https:// and a host')
  if (digits === '') return ok({ gateway })
  const secret = parseSecretDigits(digits)
  return secret.ok ? ok({ gateway, secret: secret.value }) : secret
}

function gatewayOf(base: string): readonly GatewayUrl[] {
  const parsed = parseGatewayUrls(base)
  return parsed.ok && parsed.value.length === 1 ? parsed.value : []
}
