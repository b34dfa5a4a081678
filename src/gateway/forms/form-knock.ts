/** A knock on behalf of a user who is logged in, for the visitor's address and for the ports of the profile alone. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { loadKeys } from '../../client/keys.ts'
import { type KnockPlan, sealFor } from '../../client/knock.ts'
import { meaningOf } from '../../client/receipts.ts'
import { buildRequest } from '../../client/request.ts'
import { type Clock, monotonic } from '../../clock.ts'
import { readClientSetting } from '../../config/client/fwknoprc-settings.ts'
import { type SettingLayer, settle } from '../../config/client/layer.ts'
import { parseProfile } from '../../config/client/profile.ts'
import type { TargetId } from '../../config/gateway/gateway-config.ts'
import type { IpAddress } from '../../packet/address.ts'
import { openReceipt } from '../../packet/receipt.ts'
import { parseUsername } from '../../packet/username.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Milliseconds } from '../../units.ts'
import type { Targets } from '../targets.ts'
import type { LoggedIn } from './login.ts'

export interface FormKnockWorld {
  readonly targets: Targets
  readonly receiptWait: Milliseconds
  readonly clock: Clock
}

/** @returns what to tell the user: what the server’s receipt says, or that there is none. */
export async function knockFor(
  { user, secret }: LoggedIn,
  address: IpAddress,
  { targets, receiptWait, clock }: FormKnockWorld,
): Promise<string> {
  const planned = await planFor(secret.profile, user.name, address)
  if (!planned.ok) return `The knock cannot be made: ${planned.failure.detail}`
  const sealed = await sealFor([address], planned.value, { clock, randomBytes })
  const packet = sealed.ok ? sealed.value[0]?.text : undefined
  if (packet === undefined) return 'The knock cannot be made.'
  let receipt: string | undefined
  targets.send(user.target as TargetId, packet, monotonic(), (text) => {
    receipt = text
  })
  await delay(receiptWait)
  const { encryption, hmac } = planned.value.keys
  const keys = { ...(encryption.kind === 'symmetric' ? { encryption } : {}), ...(hmac === undefined ? {} : { hmac }) }
  const opened = receipt === undefined ? undefined : openReceipt(packet, keys, receipt)
  if (opened?.ok !== true)
    return 'The knock was sent. The server sent no receipt, so it is not known whether it opened.'
  const said = opened.value
  if (said.verdict === 'refused') return `The server refused the knock: ${meaningOf(said.code)}.`
  return said.verdict === 'open' ? `Open until ${new Date(said.until * 1000).toISOString()}.` : 'Done.'
}

/** The name in the packet: “form-ada”. So the server’s log and grant say through what it came. */
export function formUsername(name: string): string {
  return `form-${name}`
}

/** @returns the plan; VALUE_INVALID or PROFILE_INVALID for a profile that cannot knock by a form. */
export async function planFor(
  profileText: string,
  name: string,
  address: IpAddress,
): Promise<Result<KnockPlan, Failure>> {
  const profile = parseProfile(profileText)
  if (!profile.ok) return profile
  const layers: SettingLayer[] = []
  for (const { name: setting, value } of profile.value.settings) {
    const read = readClientSetting(setting as never, value)
    if (!read.ok) return read
    layers.push(read.value)
  }
  const settings = { ...settle(layers), allow: address }
  const username = parseUsername(formUsername(name))
  if (!username.ok) return username
  const request = buildRequest(settings, { username: ok(username.value), random: 0 })
  if (!request.ok) return request
  const server = settings.server ?? ''
  const keys = await loadKeys(settings, server, async () => refuse('KEY_MISSING', 'the profile has no key'))
  return keys.ok ? ok({ request: request.value, keys: keys.value, server, settings }) : keys
}
