/** What happens at one door: whose address, what was sent, what came back. Kept while the page is unlocked. */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import type { Request } from '../../../src/client/request.ts'
import type { ClientSettings } from '../../../src/config/client/layer.ts'
import type { IpAddress } from '../../../src/packet/address.ts'
import { openReceipt } from '../../../src/packet/receipt.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'
import { type Seconds, unixSeconds } from '../../../src/units.ts'
import { type GnupgPair, type KeptProfile, settingsOf } from '../profile/kept.ts'
import { judgeEchoes, type SeenAddress } from './addresses.ts'
import { askAbout, askAddress, askReceipt, sendPacket } from './gateway.ts'
import { requestsFor } from './requests.ts'
import { type Keys, keysOf, receiptKeys, sealRequests } from './seal.ts'
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

/** What became of one packet. Times in milliseconds of this device's clock. */
export type Outcome = { readonly request: Request } & (
  | { readonly kind: 'open'; readonly from: number; readonly until: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'refused'; readonly code: string }
  /** No receipt that verifies came back. */
  | { readonly kind: 'unproven' }
)

export type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'sending' }
  /** On its way; whether it opened is not known yet. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'answered'; readonly outcomes: readonly Outcome[]; readonly gateway: string; readonly at: number }
  | { readonly kind: 'failed'; readonly failure: Failure }

export interface Wanted {
  readonly sources: readonly IpAddress[]
  readonly timeout?: Seconds
  /** To close, instead. */
  readonly close?: boolean
}

/** What is open, by the server's own word. */
export interface Open {
  readonly from: number
  readonly until: number
  readonly requests: readonly Request[]
}

/** How long before its end an open door is asked for again. */
const AHEAD_MILLISECONDS = 10_000

export class Session {
  readonly check: Signal<Check> = signal({ kind: 'asking' })
  readonly phase: Signal<Phase> = signal({ kind: 'idle' })
  readonly open: Signal<Open | undefined> = signal(undefined)
  /** Whether it is asked for again before its end. */
  readonly keepsOpen: Signal<boolean> = signal(false)
  readonly isBusy: ReadonlySignal<boolean> = computed(() => /^(sending|waiting)$/.test(this.phase.value.kind))
  #timer: ReturnType<typeof setTimeout> | undefined
  #ended = false

  /** Asks all echo points for the address, and the gateways for the time, at once. */
  async look({ gateways, echoes: others }: Pick<KeptProfile, 'gateways' | 'echoes'>): Promise<void> {
    this.check.value = { kind: 'asking' }
    const points = [...new Set([...gateways, ...others])]
    const [answers, about] = await Promise.all([
      Promise.all(points.map((point) => askAddress(point))),
      Promise.all(gateways.map(askAbout)),
    ])
    this.check.value = {
      kind: 'known',
      addresses: judgeEchoes([...answers, ...about.flatMap(({ addresses }) => addresses)].flatMap((it) => it ?? [])),
      skew: skewOf(about.map(({ ahead }) => ahead)),
      silent: points.filter((_, i) => answers[i] === undefined),
    }
  }

  async knock(profile: KeptProfile, wanted: Wanted): Promise<void> {
    if (this.isBusy.value) return
    clearTimeout(this.#timer)
    if (wanted.close === true) this.letItEnd()
    this.phase.value = { kind: 'sending' }
    const sent = await sealAndSend(profile, wanted)
    if (this.#ended) return
    if (!sent.ok) {
      this.phase.value = { kind: 'failed', failure: sent.failure }
      return
    }
    const { packets, keys, gateway, at } = sent.value
    this.phase.value = { kind: 'waiting' }
    const outcomes = await Promise.all(
      packets.map(async ({ request, text, ticket }): Promise<Outcome> => {
        const answer = await askReceipt(gateway, ticket)
        const receipt = answer.ok ? openReceipt(text, receiptKeys(keys), answer.value) : answer
        if (!receipt.ok) return { request, kind: 'unproven' }
        const said = receipt.value
        // The server decided after the packet was sealed: by this device's clock, the end is not before this.
        if (said.verdict === 'open')
          return { request, kind: 'open', from: at, until: at + 1000 * (said.until - said.serverTime) }
        return said.verdict === 'refused'
          ? { request, kind: 'refused', code: said.code }
          : { request, kind: said.verdict }
      }),
    )
    if (this.#ended) return
    this.#conclude(outcomes)
    this.phase.value = { kind: 'answered', outcomes, gateway, at }
    const end = this.open.value?.until
    if (this.keepsOpen.value && end !== undefined && outcomes.some(({ kind }) => kind === 'open'))
      this.#timer = setTimeout(
        () => {
          if (this.keepsOpen.value) void this.knock(profile, wanted)
        },
        Math.max(1_000, end - Date.now() - AHEAD_MILLISECONDS),
      )
  }

  /** What was opened ends before its time, if the server says so. Else it ends by itself. */
  async close(profile: KeptProfile, { sources }: Pick<Wanted, 'sources'>): Promise<void> {
    const opened = this.open.value?.requests.flatMap(({ source }) => (source === 'packet-source' ? [] : [source])) ?? []
    await this.knock(profile, { sources: opened.length > 0 ? [...new Set(opened)] : sources, close: true })
  }

  /** The door then ends by itself. */
  letItEnd(): void {
    this.keepsOpen.value = false
    clearTimeout(this.#timer)
  }

  /** The profile was locked or removed: nothing is sent any more. */
  end(): void {
    this.#ended = true
    this.letItEnd()
  }

  #conclude(outcomes: readonly Outcome[]): void {
    // Closed for all: nothing is open any more. Else the time that was told still counts.
    if (outcomes.every(({ kind }) => kind === 'closed')) this.open.value = undefined
    const open = outcomes.flatMap((it) => (it.kind === 'open' ? [it] : []))
    if (open.length === 0) return
    this.open.value = {
      from: Math.min(...open.map(({ from }) => from)),
      // A knock never shortens what is open already.
      until: Math.max(Math.min(...open.map(({ until }) => until)), this.open.value?.until ?? 0),
      requests: open.map(({ request }) => request),
    }
  }
}

interface SentPacket {
  readonly request: Request
  readonly text: string
  readonly ticket: string
}

interface Sent {
  readonly packets: readonly SentPacket[]
  readonly keys: Keys
  readonly gateway: string
  /** Milliseconds since 1970, by this device's clock: when they were sealed. */
  readonly at: number
}

/** Seals anew for each gateway: a packet that one gateway had is not given to another. */
async function sealAndSend(profile: KeptProfile, wanted: Wanted): Promise<Result<Sent, Failure>> {
  const settings = settingsOf(profile.settings)
  if (!settings.ok) return settings
  let last: Failure = refuse('SEND_FAILED', 'the profile names no gateway: add one under “Edit”').failure
  for (const gateway of profile.gateways) {
    const at = Date.now()
    const sealed = await sealFor(settings.value, profile.gnupg, wanted, at)
    if (!sealed.ok) return sealed
    const { requests, texts, keys } = sealed.value
    const tickets = await Promise.all(texts.map((packet) => sendPacket(gateway, profile.target, packet)))
    const packets: SentPacket[] = []
    for (const [i, request] of requests.entries()) {
      const [text, ticket] = [texts[i], tickets[i]]
      if (text === undefined || ticket === undefined) continue
      if (ticket.ok) packets.push({ request, text, ticket: ticket.value })
      else last = ticket.failure
    }
    if (packets.length > 0) return ok({ packets, keys, gateway, at })
  }
  return { ok: false, failure: last }
}

async function sealFor(
  settings: ClientSettings,
  gnupg: GnupgPair | undefined,
  { sources, timeout, close }: Wanted,
  at: number,
) {
  const keys = keysOf(settings, gnupg)
  if (!keys.ok) return keys
  const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length))
  const [high = 0, low = 0] = randomBytes(2)
  const requests: Request[] = []
  for (const source of sources) {
    const some = requestsFor(settings, {
      source,
      random: (high << 8) | low,
      ...(timeout !== undefined && { timeout }),
      ...(close === true && { close }),
    })
    if (!some.ok) return some
    requests.push(...some.value)
  }
  const now = unixSeconds(Math.floor(at / 1000))
  const texts = await sealRequests(requests, { settings, keys: keys.value }, { now, randomBytes })
  return texts.ok ? ok({ requests, texts: texts.value, keys: keys.value }) : texts
}
