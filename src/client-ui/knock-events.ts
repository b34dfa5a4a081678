/** A knock with a stanza, told to the page event by event. */
import { performKnock } from '../client/perform.ts'
import { planKnock } from '../client/plan.ts'
import { doorFor, parseWait } from '../client/wait-plan.ts'
import { systemClock } from '../clock.ts'
import type { IpAddress } from '../packet/address.ts'
import { type Failure, ok, refuse } from '../result.ts'
import type { Port } from '../units.ts'
import { tryShutDoor } from './closing.ts'
import type { KeptKnock } from './kept-files.ts'

export interface WantedKnock {
  readonly name: string
  /** Another device: open for this address. */
  readonly allow?: string
  /** Seconds. */
  readonly timeout?: number
  /** Try the port until it opens. */
  readonly wait: boolean
  /** Close what this stanza opened, instead. */
  readonly close?: boolean
  /** Of the user's GnuPG key, as typed in the page. It goes to gpg by a pipe, and is kept nowhere. */
  readonly passphrase?: string
}

export type KnockEvent =
  | {
      readonly event: 'sent'
      readonly number: number
      readonly packets: readonly { readonly address: string; readonly port: number; readonly error: string | null }[]
    }
  | {
      readonly event: 'open'
      readonly address: IpAddress
      readonly port: Port
      /** Until the port was open. */
      readonly milliseconds: number
      /** It was open before: the knock proved nothing. */
      readonly already: boolean
      /** As asked for; null: as long as the server decides. */
      readonly seconds: number | null
    }
  /** What the server says, where a gateway brought it. Times are of the server's clock. */
  | {
      readonly event: 'receipt'
      readonly verdict: 'open' | 'done' | 'closed'
      /** Seconds from the verdict to the end; null: there is none. */
      readonly seconds: number | null
    }
  /** A port that was tried after a closing knock. */
  | { readonly event: 'tried'; readonly address: IpAddress; readonly port: Port; readonly isShut: boolean }
  | {
      readonly event: 'failed'
      readonly code: string
      readonly detail: string
      readonly suggestion: string | null
      readonly causes: readonly string[]
      /** The passphrase of this GnuPG key may help: ask for it, and try again. */
      readonly asks?: string
    }

/** @param tell is called in order. @returns what the history keeps; undefined where only a passphrase is missing. */
export async function knockWith(
  file: string,
  { name, allow, timeout, wait, close, passphrase }: WantedKnock,
  tell: (event: KnockEvent) => void,
  signal: AbortSignal,
): Promise<KeptKnock | undefined> {
  const options = {
    'rc-file': file,
    'named-config': name,
    ...(allow !== undefined && { 'allow-ip': allow }),
    ...(timeout !== undefined && { 'fw-timeout': timeout }),
    ...(close === true && { close }),
  }
  /** The GnuPG key whose passphrase no setting holds. */
  let asked: string | undefined
  const about = { at: systemClock.now(), stanza: name }
  const failed = (failure: Failure, server: string, causes: readonly string[] = []): KeptKnock => {
    const { code, detail, suggestion } = failure
    const asks = asked === undefined || (passphrase !== undefined && code !== 'GNUPG_FAILED') ? {} : { asks: asked }
    tell({ event: 'failed', code, detail, suggestion: suggestion ?? null, causes, ...asks })
    return { ...about, server, outcome: 'failed', code, detail: detail.slice(0, 2000) }
  }
  const ask = async (what: string, option: string) => {
    if (option !== 'gpg-agent')
      return refuse('KEY_MISSING', `the stanza has no ${what.toLowerCase()}`, { suggestion: 'put it into the stanza' })
    asked = what
    return passphrase === undefined
      ? refuse('KEY_MISSING', `${what}: type it`)
      : ok(new TextEncoder().encode(passphrase))
  }
  const planned = await planKnock(options, ask)
  if (!planned.ok) {
    const kept = failed(planned.failure, '')
    return asked !== undefined && passphrase === undefined ? undefined : kept
  }
  const { plan, settings } = planned.value
  const wish = parseWait({})
  const door = wait && wish.ok ? doorFor(plan, wish.value) : undefined
  // A knock for a UDP port has nothing to wait for.
  const waits = door?.ok === true ? door.value : undefined
  const performed = await performKnock(planned.value, {
    wait: waits,
    signal,
    onSent: (packets, number) =>
      tell({
        event: 'sent',
        number,
        packets: packets.map(({ address, port, departure }) => ({
          address,
          port,
          error: departure.ok ? null : departure.failure.detail,
        })),
      }),
  })
  if (!performed.ok) return failed(performed.failure, plan.server, performed.failure.causes)
  const { opened, receipt, sent } = performed.value
  if (receipt !== undefined && receipt.verdict !== 'refused') {
    const seconds = receipt.verdict === 'open' ? Math.max(0, receipt.until - receipt.serverTime) : null
    tell({ event: 'receipt', verdict: receipt.verdict, seconds })
  }
  if (close === true) {
    // For another device, the door was never open for this one.
    const tried = allow === undefined ? await tryShutDoor(plan, settings, sent, signal) : undefined
    if (tried !== undefined) tell({ event: 'tried', ...tried })
    const isClosed = receipt?.verdict === 'closed' || tried?.isShut === true
    return { ...about, server: plan.server, outcome: isClosed ? 'closed' : 'sent' }
  }
  if (receipt?.verdict === 'open') return { ...about, server: plan.server, outcome: 'granted' }
  if (opened === undefined || waits === undefined) return { ...about, server: plan.server, outcome: 'sent' }
  opened.socket.destroy()
  const { address, already } = opened
  const { port } = waits
  const milliseconds = Math.round(opened.after)
  const wanted = 'timeout' in plan.request ? plan.request.timeout : undefined
  tell({
    event: 'open',
    address,
    port,
    milliseconds,
    already,
    seconds: wanted === undefined || wanted === 0 ? null : wanted,
  })
  const outcome = already ? 'already' : 'open'
  return { ...about, server: plan.server, outcome, address, port, milliseconds }
}
