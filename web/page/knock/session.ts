/** What happens at one door: whose address, what was sent, what came back. Kept while the page runs. */
import { type Signal, signal } from '@preact/signals'
import type { Request } from '../../../src/client/request.ts'
import type { ClientSettings } from '../../../src/config/client/layer.ts'
import type { IpAddress } from '../../../src/packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'
import { type Seconds, unixSeconds } from '../../../src/units.ts'
import { type KeptProfile, settingsOf } from '../profile/kept.ts'
import { judgeEchoes, type SeenAddress } from './addresses.ts'
import { askAddress, askReceipt, type Echo, sendPacket } from './gateway.ts'
import { requestsFor } from './requests.ts'
import { keysOf, sealRequests } from './seal.ts'
import { type Skew, skewOf } from './skew.ts'

/** What the echo points say. */
export type Check =
  | { readonly kind: 'asking' }
  | {
      readonly kind: 'known'
      readonly addresses: readonly SeenAddress[]
      readonly skew: Skew | undefined
      /** Echo points that did not answer. */
      readonly silent: readonly string[]
    }

export type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'sending' }
  /** On its way; whether it opened is not known yet. */
  | { readonly kind: 'waiting'; readonly sent: Sent }
  /** The server says so itself, for this very packet. Times in milliseconds of this device's clock. */
  | { readonly kind: 'open'; readonly sent: Sent; readonly from: number; readonly until: number }
  | { readonly kind: 'refused'; readonly sent: Sent; readonly code: string }
  /** No receipt that verifies came back. */
  | { readonly kind: 'unproven'; readonly sent: Sent }
  | { readonly kind: 'failed'; readonly failure: Failure }

export interface Sent {
  readonly requests: readonly Request[]
  readonly sources: readonly IpAddress[]
  readonly gateway: string
  /** Milliseconds since 1970, by this device's clock. */
  readonly at: number
}

export interface Wanted {
  readonly sources: readonly IpAddress[]
  readonly timeout?: Seconds
}

export class Session {
  readonly check: Signal<Check> = signal({ kind: 'asking' })
  readonly phase: Signal<Phase> = signal({ kind: 'idle' })

  /** Asks all echo points at once. */
  async look(echoPoints: readonly string[]): Promise<void> {
    this.check.value = { kind: 'asking' }
    const answers = await Promise.all(echoPoints.map(async (point) => ({ point, answer: await askAddress(point) })))
    const echoes: Echo[] = answers.flatMap(({ answer }) => (answer.ok ? [answer.value] : []))
    this.check.value = {
      kind: 'known',
      addresses: judgeEchoes(echoes),
      skew: skewOf(echoes, Date.now()),
      silent: answers.filter(({ answer }) => !answer.ok).map(({ point }) => point),
    }
  }

  async knock(profile: KeptProfile, wanted: Wanted): Promise<void> {
    this.phase.value = { kind: 'sending' }
    const sent = await sealAndSend(profile, wanted)
    if (!sent.ok) {
      this.phase.value = { kind: 'failed', failure: sent.failure }
      return
    }
    const { packets, ...what } = sent.value
    this.phase.value = { kind: 'waiting', sent: what }
    await Promise.all(packets.map(({ ticket }) => askReceipt(what.gateway, ticket)))
    this.phase.value = { kind: 'unproven', sent: what }
  }
}

interface SentPacket {
  readonly text: string
  readonly ticket: string
}

/** Seals anew for each gateway: a packet that one gateway had is not given to another. */
async function sealAndSend(
  profile: KeptProfile,
  wanted: Wanted,
): Promise<Result<Sent & { readonly packets: readonly SentPacket[] }, Failure>> {
  const settings = settingsOf(profile.settings)
  if (!settings.ok) return settings
  let last: Failure = refuse('SEND_FAILED', 'the profile names no gateway: add one under “Edit”').failure
  for (const gateway of profile.gateways) {
    const sealed = sealFor(settings.value, wanted)
    if (!sealed.ok) return sealed
    const at = Date.now()
    const tickets = await Promise.all(sealed.value.packets.map((packet) => sendPacket(gateway, profile.target, packet)))
    const packets: SentPacket[] = []
    for (const [i, ticket] of tickets.entries())
      if (ticket.ok) packets.push({ text: sealed.value.packets[i] ?? '', ticket: ticket.value })
      else last = ticket.failure
    if (packets.length === tickets.length)
      return ok({ requests: sealed.value.requests, sources: wanted.sources, gateway, at, packets })
  }
  return { ok: false, failure: last }
}

function sealFor(settings: ClientSettings, { sources, timeout }: Wanted) {
  const keys = keysOf(settings)
  if (!keys.ok) return keys
  const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length))
  const [high = 0, low = 0] = randomBytes(2)
  const requests: Request[] = []
  for (const source of sources) {
    const some = requestsFor(settings, {
      source,
      random: (high << 8) | low,
      ...(timeout !== undefined && { timeout }),
    })
    if (!some.ok) return some
    requests.push(...some.value)
  }
  const now = unixSeconds(Math.floor(Date.now() / 1000))
  const packets = sealRequests(requests, { settings, keys: keys.value }, { now, randomBytes })
  return packets.ok ? ok({ requests, packets: packets.value }) : packets
}
