/** What a server asks a gateway about its invitations (docs/GATEWAY.md § The interface). */
import { formatGatewayUrl, type GatewayUrl, parseGatewayUrls } from '../../config/client/gateway-urls.ts'
import { callGateway } from '../../delivery/gateway-call.ts'
import type { GatewayInvitation } from '../../invitations/store.ts'
import { either, integer, list, literal, mapped, parsed, type Read, record, text } from '../../json-reader.ts'
import { parseAddress } from '../../packet/address.ts'
import { deviceFingerprint, isClaimTag, parseDeviceKey } from '../../packet/web-invitation.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { readSecretFile } from '../../system/user-file.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'

export type GatewayFailure = Failure<
  'GATEWAY_FAILED' | 'INVITATION_ENDED' | 'INVITATIONS_FULL' | 'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE'
>

/** How a gateway is reached, and by what token. */
export interface GatewayAccess {
  readonly gateway: GatewayUrl
  readonly fingerprint?: string
  readonly token: string
}

const hex = mapped(text({ max: 64 }), (read) => (/^[0-9a-f]{64}$/.test(read) ? read : undefined))
const claim = record(
  {
    device: mapped(text({ max: 87 }), (read) => parseDeviceKey(read)),
    tag: hex,
    at: mapped(integer({ min: 1, max: 253_402_300_799 }), unixSeconds),
  },
  { from: parsed(parseAddress) },
)
const state = either(...(['unknown', 'open', 'claimed', 'delivered', 'fetched'] as const).map((word) => literal(word)))
export const readAboutAnswer = record(
  { invitations: list(record({ id: hex, state }, { claim }), { min: 0, max: 200 }) },
  {},
)

/** What is known of an invitation at its gateway. */
export type AtGateway =
  /** Nobody claimed it yet. `unknown`: the gateway has forgotten it. */
  | { readonly state: 'unknown' | 'open' }
  /** The claim was not made by somebody who has the secret. */
  | { readonly state: 'forged' }
  | {
      readonly state: 'claimed' | 'delivered' | 'fetched'
      readonly device: Uint8Array
      /** 16 digits, as the device shows them. */
      readonly fingerprint: string
      /** By the gateway’s word. */
      readonly at: UnixSeconds
      readonly from?: string
    }

/** @param file by default beside fwknopd.conf. */
export function accessTo(
  { url, fingerprint }: { readonly url: string; readonly fingerprint?: string },
  file: string,
): Result<GatewayAccess, GatewayFailure> {
  const parsedUrl = parseGatewayUrls(url)
  const gateway = parsedUrl.ok ? parsedUrl.value[0] : undefined
  if (gateway === undefined) return refuse('GATEWAY_FAILED', `“${url}” is not the URL of a gateway`)
  const read = readSecretFile(file)
  if (!read.ok) {
    const { code, detail } = read.failure
    return refuse(code, `the token of the gateway ${formatGatewayUrl(gateway)}: ${detail}`, {
      suggestion: `copy its INVITATION_TOKEN_FILE to ${file}, or --gateway-token FILE`,
    })
  }
  return ok({ gateway, token: read.value.trim(), ...(fingerprint !== undefined && { fingerprint }) })
}

export async function registerAt(
  access: GatewayAccess,
  { id, key }: Pick<GatewayInvitation, 'id' | 'key'>,
  until: UnixSeconds,
): Promise<Result<void, GatewayFailure>> {
  const answer = await ask(access, 'register', { id, key, until })
  return answer.ok ? ok(undefined) : answer
}

/** @returns what the gateway says of each, judged by the keys of this server. */
export async function aboutAt(
  access: GatewayAccess,
  invitations: readonly GatewayInvitation[],
): Promise<Result<readonly AtGateway[], GatewayFailure>> {
  const asked = invitations.map(({ id, key }) => ({ id, key }))
  const answer = await ask(access, 'about', { invitations: asked })
  if (!answer.ok) return answer
  const told = readAboutAnswer(answer.value)
  if (told === undefined) return refuse('GATEWAY_FAILED', `${formatGatewayUrl(access.gateway)}: ${NO_GATEWAY}`)
  const byId = new Map(told.invitations.map((one) => [one.id, one]))
  return ok(invitations.map((one) => judged(one, byId.get(one.id))))
}

function judged(
  { id, claim: key, seal }: GatewayInvitation,
  told: Read<typeof readAboutAnswer>['invitations'][number] | undefined,
): AtGateway {
  if (told === undefined || told.state === 'unknown') return { state: 'unknown' }
  if (told.state === 'open' || told.claim === undefined) return { state: 'open' }
  const { device, tag, at, from } = told.claim
  const fingerprint = deviceFingerprint({ id }, device)
  // After the confirmation, the server has no key to check a tag with: it needs none any more.
  if (key !== undefined && seal !== undefined && !isClaimTag({ id, claim: key, seal }, device, tag))
    return { state: 'forged' }
  return { state: told.state, device, fingerprint, at, ...(from !== undefined && { from }) }
}

export async function deliverTo(
  access: GatewayAccess,
  { id, key }: Pick<GatewayInvitation, 'id' | 'key'>,
  device: string,
  sealed: string,
): Promise<Result<void, GatewayFailure>> {
  const answer = await ask(access, 'deliver', { id, key, device, sealed })
  return answer.ok ? ok(undefined) : answer
}

export async function cancelAt(
  access: GatewayAccess,
  { id, key }: Pick<GatewayInvitation, 'id' | 'key'>,
): Promise<Result<void, GatewayFailure>> {
  const answer = await ask(access, 'cancel', { id, key })
  // It is gone in any case.
  return answer.ok || answer.failure.code === 'INVITATION_ENDED' ? ok(undefined) : answer
}

const NO_GATEWAY = 'its answer is not that of a gateway'

async function ask(
  { gateway, fingerprint, token }: GatewayAccess,
  what: 'register' | 'about' | 'deliver' | 'cancel',
  body: unknown,
): Promise<Result<unknown, GatewayFailure>> {
  const path = `/v1/invitations/${what}`
  const answer = await callGateway({ gateway, path, body, token, ...(fingerprint !== undefined && { fingerprint }) })
  if (!answer.ok) return answer
  const { status, value } = answer.value
  const failed = (why: string) => refuse('GATEWAY_FAILED', `${formatGatewayUrl(gateway)}: ${why}`)
  switch (status) {
    case 200:
    case 201:
      return ok(value)
    case 401:
      return failed('it does not know this token: it must be that of its INVITATION_TOKEN_FILE')
    case 404:
      return failed('it takes no invitations: INVITATIONS is not Y in its gateway.conf')
    case 410:
      return refuse('INVITATION_ENDED', `${formatGatewayUrl(gateway)} has no such invitation, or no such claim of it`)
    case 421:
      return failed(`it does not answer to the name ${gateway.host}: HOST in its gateway.conf does not list it`)
    case 422:
      return failed('it takes no invitation for this long, or its clock is wrong: 30 days are the most')
    case 429:
      return failed('it takes no more requests from here for a while')
    case 503:
      return failed('it cannot write into its STATE_FOLDER: a full disk, or the rights of its user')
    case 507:
      return refuse('INVITATIONS_FULL', `${formatGatewayUrl(gateway)} holds as many as it takes`)
    default:
      return failed(`it answers with status ${status}`)
  }
}
