/**
 * Claims an invitation through a gateway (docs/WIRE.md § 19), with a key pair of this device. What it hands out as text
 * is a secret, and is kept in the vault alone.
 */
import { formatGatewayUrl } from '../../../src/config/client/gateway-urls.ts'
import { parseInviteLink } from '../../../src/config/client/invite-link.ts'
import { formatSecret, parseSecretDigits } from '../../../src/packet/invitation-secret.ts'
import {
  claimTag,
  deriveLinkKeys,
  deviceFingerprint,
  exportPrivateKey,
  formatDeviceKey,
  importPrivateKey,
  type KeyPair,
  type LinkKeys,
  newKeyPair,
  openOnDevice,
  parseDeviceKey,
} from '../../../src/packet/web-invitation.ts'

/** An invitation on this device, as it is kept. */
export interface Pending {
  /** Its first digits at the gateway: nothing secret. */
  readonly id: string
  readonly gateway: string
  readonly secret: string
  readonly device: string
  readonly key: string
}

export type Said =
  | { readonly kind: 'claimed'; readonly digits: string }
  | { readonly kind: 'ready'; readonly profile: string }
  /** Used elsewhere, over, cancelled, or never there. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly detail: string }

/** @returns a new key of this device for the link; or what is wrong with the link. */
export async function begin(link: string): Promise<Pending | string> {
  if (link.trimStart().startsWith('ghostport:'))
    return 'This link is claimed on the server itself, which this page cannot reach. Ask your administrator to run “ghostport invite claim” there, or for a link that begins with https://.'
  const read = parseInviteLink(link)
  if (!read.ok) return read.failure.detail
  const { gateway, secret } = read.value
  if (secret === undefined) return 'the secret behind the “#” is missing: was the whole link copied?'
  const pair = await newKeyPair()
  return {
    id: deriveLinkKeys(secret).id.slice(0, 32),
    gateway: formatGatewayUrl(gateway),
    secret: formatSecret(secret),
    device: formatDeviceKey(pair.publicKey),
    key: await exportPrivateKey(pair),
  }
}

/** @returns undefined for everything that this page would not have written. Never throws. */
export function readPending(text: string): Pending | undefined {
  try {
    const { id, gateway, secret, device, key } = JSON.parse(text) as Record<string, unknown>
    if (![id, gateway, secret, device, key].every((it) => typeof it === 'string' && it.length < 500)) return undefined
    const pending = { id, gateway, secret, device, key } as Pending
    const isWhole =
      parseInviteLink(`${pending.gateway}/invite#${pending.secret}`).ok && /^[0-9a-f]{32}$/.test(pending.id)
    return isWhole && parseDeviceKey(pending.device) !== undefined ? pending : undefined
  } catch {
    return undefined
  }
}

/** The first claim counts. The same device may ask again. */
export async function claim(pending: Pending): Promise<Said> {
  const own = await keysOf(pending)
  if (own === undefined) return damaged()
  const tag = claimTag(own.keys, own.pair.publicKey)
  const answer = await post(pending, 'claim', { proof: own.keys.proof, device: pending.device, tag })
  if ('kind' in answer) return answer
  return { kind: 'claimed', digits: deviceFingerprint(own.keys, own.pair.publicKey) }
}

export async function poll(pending: Pending): Promise<Said> {
  const own = await keysOf(pending)
  if (own === undefined) return damaged()
  const answer = await post(pending, 'poll', { proof: own.keys.proof, device: pending.device })
  if ('kind' in answer) return answer
  const { state, sealed } = answer.value as { readonly state?: unknown; readonly sealed?: unknown }
  if (state === 'waiting') return { kind: 'claimed', digits: deviceFingerprint(own.keys, own.pair.publicKey) }
  if (state !== 'ready' || typeof sealed !== 'string')
    return failed('the answer of the gateway is not that of a gateway')
  const profile = await openOnDevice(own.keys, own.pair, sealed)
  return profile === undefined
    ? failed('what the gateway gave is not sealed for this device: it was changed. Tell your administrator')
    : { kind: 'ready', profile }
}

async function keysOf({ secret, device, key }: Pending): Promise<{ keys: LinkKeys; pair: KeyPair } | undefined> {
  const parsed = parseSecretDigits(secret)
  const publicKey = parseDeviceKey(device)
  const pair = publicKey === undefined ? undefined : await importPrivateKey(key, publicKey)
  return parsed.ok && pair !== undefined ? { keys: deriveLinkKeys(parsed.value), pair } : undefined
}

function damaged(): Said {
  return failed('what is kept of this invitation is damaged')
}

function failed(detail: string): Said {
  return { kind: 'failed', detail }
}

const MILLISECONDS = 15_000

async function post({ gateway }: Pending, what: 'claim' | 'poll', body: unknown): Promise<{ value: object } | Said> {
  try {
    const response = await fetch(`${gateway}/v1/invitation/${what}`, {
      ...({ method: 'POST', mode: 'cors', credentials: 'omit', cache: 'no-store', redirect: 'error' } as const),
      referrerPolicy: 'no-referrer',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(MILLISECONDS),
    })
    if (response.status === 410) return { kind: 'ended' }
    if (response.status === 404) return failed('this gateway takes no invitations')
    if (response.status === 429) return failed('the gateway has had too many requests from here: wait a minute')
    if (!response.ok) return failed(`the gateway refused the request (status ${response.status})`)
    const value: unknown = await response.json()
    return typeof value === 'object' && value !== null ? { value } : failed('the gateway did not answer')
  } catch {
    return failed('the gateway cannot be reached from this page. Are you online?')
  }
}
