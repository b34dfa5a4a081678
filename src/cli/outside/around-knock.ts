/** The knock between two scans: planned like one of `ghostport knock`, and waited for. */
import type { KnockPlan } from '../../client/knock.ts'
import { performKnock } from '../../client/perform.ts'
import type { PlannedKnock } from '../../client/plan.ts'
import { doorOf } from '../../client/request.ts'
import { doorFor } from '../../client/wait-plan.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { sourceTowards } from '../../scan/source-address.ts'
import { type Vantage, vantageOf } from '../../scan/vantage.ts'
import { milliseconds } from '../../units.ts'
import { knockOptions } from '../knock/knock-flags.ts'
import { planKnock } from '../knock/plan-from-flags.ts'
import { parseCommandLine } from '../terminal/parse-command-line.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import type { Aim } from './scan.ts'

/** How long fwknopd opens where nobody says it, in seconds. */
const USUAL_LIFETIME = 30

export async function planStanza(given: Given, stanza: string, terminal: Terminal): Promise<Result<PlannedKnock>> {
  const file = given['rc-file']
  const parsed = parseCommandLine(knockOptions, {}, file === undefined ? [] : ['--rc-file', file])
  if (!parsed.ok) return parsed
  return planKnock(parsed.value.options, terminal, { stanza: { word: stanza, required: true, misread: undefined } })
}

/** The TCP ports that the knock opens, as strangers name them. */
export function portsOfKnock({ request }: KnockPlan): readonly number[] {
  if (request.kind === 'command') return []
  return request.ports.flatMap(({ protocol, port }) => (protocol === 'tcp' ? [port] : []))
}

/** Seconds. */
export function lifetimeOf({ request }: KnockPlan): number {
  return request.kind === 'command' || request.kind === 'close' ? 0 : (request.timeout ?? USUAL_LIFETIME)
}

/** For each address of the target: who the scanner is there. */
export async function vantages({ addresses }: Aim, planned: PlannedKnock): Promise<ReadonlyMap<IpAddress, Vantage>> {
  const { request, settings } = planned.plan
  const found = new Map<IpAddress, Vantage>()
  for (const [target, source] of addresses) {
    const knocker = await sourceTowards(target)
    const from = 'source' in knocker ? knocker.source : source
    const indirect = settings.proxy !== undefined || settings.spoofedSource !== undefined
    const isOwn = planned.ownAddress !== undefined
    found.set(target, vantageOf({ source, target, knocker: from, opensFor: request.source, isOwn, indirect }))
  }
  return found
}

export interface Knocked {
  /** Whether a connection from here showed that it opened. */
  readonly proven: boolean
  /** On the clock of `performance.now()`. */
  readonly at: number
}

/**
 * @param isForUs the door opens for this host: then it is waited for.
 * @returns PORT_NOT_OPEN where nothing opened: two equal scans would prove nothing.
 */
export async function knockFor(planned: PlannedKnock, isForUs: boolean): Promise<Result<Knocked, Failure>> {
  const isKnown = isForUs && doorOf(planned.plan.request) !== undefined
  const wish = { knocks: 3, limit: milliseconds(10_000) }
  const wait = isKnown ? doorFor(planned.plan, wish) : ok(undefined)
  if (!wait.ok) return wait
  const at = performance.now()
  const performed = await performKnock(planned, { wait: wait.value })
  if (!performed.ok) return performed
  performed.value.opened?.socket.destroy()
  if (!isKnown) await new Promise((resolve) => setTimeout(resolve, UNSEEN))
  return ok({ proven: performed.value.opened !== undefined, at })
}

/** How long a server may take to open a door that cannot be tried from here. */
const UNSEEN = milliseconds(1_000)
