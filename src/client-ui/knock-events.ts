/** A knock with a stanza, told to the page event by event. */
import { performKnock } from '../client/perform.ts'
import { planKnock } from '../client/plan.ts'
import { doorFor, parseWait } from '../client/wait-plan.ts'
import { systemClock } from '../clock.ts'
import type { IpAddress } from '../packet/address.ts'
import { type Failure, refuse } from '../result.ts'
import type { Port } from '../units.ts'
import type { KeptKnock } from './kept-files.ts'

export interface WantedKnock {
  readonly name: string
  /** Another device: open for this address. */
  readonly allow?: string
  /** Seconds. */
  readonly timeout?: number
  /** Try the port until it opens. */
  readonly wait: boolean
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
  | {
      readonly event: 'failed'
      readonly code: string
      readonly detail: string
      readonly suggestion: string | null
      readonly causes: readonly string[]
    }

/** @param tell is called in order. @returns what the history keeps. */
export async function knockWith(
  file: string,
  { name, allow, timeout, wait }: WantedKnock,
  tell: (event: KnockEvent) => void,
  signal: AbortSignal,
): Promise<KeptKnock> {
  const options = {
    'rc-file': file,
    'named-config': name,
    ...(allow !== undefined && { 'allow-ip': allow }),
    ...(timeout !== undefined && { 'fw-timeout': timeout }),
  }
  const about = { at: systemClock.now(), stanza: name }
  const failed = (failure: Failure, server: string, causes: readonly string[] = []): KeptKnock => {
    const { code, detail, suggestion } = failure
    tell({ event: 'failed', code, detail, suggestion: suggestion ?? null, causes })
    return { ...about, server, outcome: 'failed', code, detail: detail.slice(0, 2000) }
  }
  const ask = async (what: string) =>
    refuse('KEY_MISSING', `the stanza has no ${what.toLowerCase()}`, { suggestion: 'put it into the stanza' })
  const planned = await planKnock(options, ask)
  if (!planned.ok) return failed(planned.failure, '')
  const { plan } = planned.value
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
  const { opened } = performed.value
  if (opened === undefined || waits === undefined) return { ...about, server: plan.server, outcome: 'sent' }
  opened.socket.destroy()
  const { address, already } = opened
  const { port } = waits
  const milliseconds = Math.round(opened.after)
  const asked = 'timeout' in plan.request ? plan.request.timeout : undefined
  tell({
    event: 'open',
    address,
    port,
    milliseconds,
    already,
    seconds: asked === undefined || asked === 0 ? null : asked,
  })
  const outcome = already ? 'already' : 'open'
  return { ...about, server: plan.server, outcome, address, port, milliseconds }
}
