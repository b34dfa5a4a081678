/**
 * `ghostport client add` with the link of an invitation: claims it for this device, shows the fingerprint for the
 * administrator, and waits for the profile. The key of the device is kept in a file meanwhile, so that a second run
 * goes on where the first was interrupted.
 */
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { jsonLine } from '../../bytes/text.ts'
import { formatGatewayUrl } from '../../config/client/gateway-urls.ts'
import type { InviteLink } from '../../config/client/invite-link.ts'
import { callGateway, type GatewayAnswer } from '../../delivery/gateway-call.ts'
import { either, literal, printableAscii, record } from '../../json-reader.ts'
import type { InvitationSecret } from '../../packet/invitation-secret.ts'
import {
  claimTag,
  deriveLinkKeys,
  deviceFingerprint,
  exportPrivateKey,
  formatDeviceKey,
  importPrivateKey,
  type KeyPair,
  type LinkKeys,
  MOST_SEALED,
  newKeyPair,
  openOnDevice,
  parseDeviceKey,
} from '../../packet/web-invitation.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import { readSecretFile, readUserFile } from '../../system/user-file.ts'
import { milliseconds } from '../../units.ts'
import type { Terminal } from '../terminal/terminal.ts'

export interface ClaimOptions {
  readonly secret: InvitationSecret
  /** SHA-256 of the certificate of the gateway. */
  readonly fingerprint?: string
  /** The rc file: the key of the device waits beside it. */
  readonly rcFile: string
}

const FIRST_PAUSE = milliseconds(3_000)
const LONGEST_PAUSE = milliseconds(20_000)
/** Of a gateway that cannot be reached meanwhile. */
const MOST_FAILURES = 20

const readKept = record({ device: printableAscii({ max: 87 }), key: printableAscii({ max: 400 }) }, {})
export const readPollAnswer = either(
  record({ state: literal('waiting') }, {}),
  record({ state: literal('ready'), sealed: printableAscii({ max: MOST_SEALED }) }, {}),
)

/**
 * @returns the profile, and the file with the key of this device; INVITATION_ENDED if somebody else claimed, or it is
 * not good any more.
 */
export async function claimProfile(
  { gateway }: InviteLink,
  { secret, fingerprint, rcFile }: ClaimOptions,
  terminal: Terminal,
): Promise<Result<{ readonly profile: string; readonly keyFile: string }, Failure>> {
  const keys = deriveLinkKeys(secret)
  const file = join(dirname(rcFile), `.ghostport-claim-${keys.id.slice(0, 16)}.json`)
  const device = await deviceFor(file)
  if (!device.ok) return device
  const key = formatDeviceKey(device.value.publicKey)
  const call = (path: string, body: unknown) =>
    callGateway({ gateway, path, body, ...(fingerprint !== undefined && { fingerprint }) })
  const claim = { proof: keys.proof, device: key, tag: claimTag(keys, device.value.publicKey) }
  const claimed = await call('/v1/invitation/claim', claim)
  const refused = claimed.ok ? refusalOf(claimed.value, formatGatewayUrl(gateway)) : claimed
  if (refused !== undefined) {
    // After another answer, the claim may have arrived, now or earlier: then it is good for this key alone.
    if (!refused.ok && refused.failure.code === 'INVITATION_ENDED') rmSync(file, { force: true })
    return refused
  }
  terminal.note([
    `claimed for this device. Read these digits to your administrator: ${deviceFingerprint(keys, device.value.publicKey)}`,
    'waiting until the administrator confirms them. Ctrl-C is safe: run the same again later, with the same link',
  ])
  const profile = await waitForProfile(keys, device.value, (body) => call('/v1/invitation/poll', body), gateway)
  if (profile.ok) return ok({ profile: profile.value, keyFile: file })
  if (profile.failure.code === 'INVITATION_ENDED') rmSync(file, { force: true })
  return profile
}

/** The key pair of an earlier run, or a new one, which is in the file before it is used. */
async function deviceFor(file: string): Promise<Result<KeyPair, Failure>> {
  const found = readUserFile(file)
  if (!found.ok) return found
  if (found.value === undefined) {
    const made = await newKeyPair()
    const text = jsonLine({ device: formatDeviceKey(made.publicKey), key: await exportPrivateKey(made) })
    const written = createUserFile(file, `${text}\n`)
    return written.ok ? ok(made) : written
  }
  const text = readSecretFile(file)
  if (!text.ok) return text
  const kept = parseKept(text.value)
  const publicKey = kept === undefined ? undefined : parseDeviceKey(kept.device)
  const pair = kept === undefined || publicKey === undefined ? undefined : await importPrivateKey(kept.key, publicKey)
  return pair === undefined ? refuse('CONFIG_UNREADABLE', `${file} is damaged: delete it`) : ok(pair)
}

/** Never throws. */
export function parseKept(text: string): { readonly device: string; readonly key: string } | undefined {
  try {
    return readKept(JSON.parse(text))
  } catch {
    return undefined
  }
}

async function waitForProfile(
  keys: LinkKeys,
  device: KeyPair,
  poll: (body: unknown) => Promise<Result<GatewayAnswer, Failure>>,
  gateway: InviteLink['gateway'],
): Promise<Result<string, Failure>> {
  const body = { proof: keys.proof, device: formatDeviceKey(device.publicKey) }
  let failures = 0
  for (let pause: number = FIRST_PAUSE; ; pause = Math.min(pause * 1.3, LONGEST_PAUSE)) {
    const answer = await poll(body)
    if (!answer.ok) {
      if (++failures >= MOST_FAILURES) return answer
    } else if (answer.value.status !== 429) {
      const refused = refusalOf(answer.value, formatGatewayUrl(gateway))
      if (refused !== undefined) return refused
      failures = 0
      const told = readPollAnswer(answer.value.value)
      if (told === undefined) return refuse('GATEWAY_FAILED', `${formatGatewayUrl(gateway)}: ${NO_GATEWAY}`)
      if (told.state === 'ready') {
        const profile = await openOnDevice(keys, device, told.sealed)
        return profile === undefined
          ? refuse('INVITATION_INVALID', 'what the gateway gave is not sealed for this device: it was changed')
          : ok(profile)
      }
    }
    await delay(pause)
  }
}

const NO_GATEWAY = 'its answer is not that of a gateway'

function refusalOf({ status }: GatewayAnswer, name: string): Result<never, Failure> | undefined {
  const failed = (why: string) => refuse('GATEWAY_FAILED', `${name}: ${why}`)
  switch (status) {
    case 200:
      return undefined
    case 410:
      return refuse(
        'INVITATION_ENDED',
        'it was used on another device, it has ended, or it was cancelled. If you did not use it, somebody else may have: tell your administrator',
      )
    case 404:
      return failed('it takes no invitations')
    case 429:
      return failed('it takes no more requests from here for a while: wait a minute')
    default:
      return failed(`it answers with status ${status}`)
  }
}
