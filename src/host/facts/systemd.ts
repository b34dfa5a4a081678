/** Whether systemd runs this host, which version, and the state of the units that matter here. */
import { SYSTEMD_FOLDER } from '../../system/systemd.ts'
import { type Known, known, notKnown } from '../known.ts'
import { type Looker, UNITS, type UnitName } from '../looker.ts'

export interface Systemd {
  /** Undefined if systemd is not installed, or does not say. */
  readonly version?: number
  /** Whether it is the init of this host. */
  readonly running: boolean
}

/** Of `systemctl show`. */
export interface UnitState {
  /** `loaded`, `not-found`, `masked`, `bad-setting`, … */
  readonly load: string
  /** `active`, `inactive`, `failed`, `activating`, … */
  readonly active: string
  readonly sub: string
  /** `enabled`, `disabled`, `static`, …; empty if there is no unit file. */
  readonly enabled: string
  /** The unit file; empty if there is none. */
  readonly file: string
  /** Why it ended: `success`, `exit-code`, `oom-kill`, … */
  readonly result: string
  /** How often systemd started it again by itself. */
  readonly restarts: number
  /** The unit file changed after systemd read it. */
  readonly needsReload: boolean
  /** For a socket unit: `0.0.0.0:22 (Stream)`. */
  readonly listens: readonly string[]
}
export type Units = ReadonlyMap<UnitName, UnitState>

export async function lookAtSystemd(looker: Looker): Promise<Known<Systemd>> {
  // As sd_booted(3) does.
  const booted = looker.stat(SYSTEMD_FOLDER)
  if (!booted.known) return booted
  const running = booted.value !== undefined
  const said = await looker.ask('version of systemd')
  const version = said.known ? parseSystemdVersion(said.value.output) : undefined
  return known({ running, ...(version !== undefined && { version }) })
}

/** `systemd 257 (257.9-1~deb13u1)` */
export function parseSystemdVersion(text: string): number | undefined {
  const [, version] = /^systemd (\d+)/.exec(text) ?? []
  return version === undefined ? undefined : Number(version)
}

export async function lookAtUnits(looker: Looker): Promise<Known<Units>> {
  const systemd = await lookAtSystemd(looker)
  if (!systemd.known) return systemd
  if (!systemd.value.running) return notKnown('systemd does not run this host')
  const said = await looker.ask('state of units')
  if (!said.known) return said
  if (said.value.status !== 0) return notKnown(`systemctl failed: ${said.value.complaint}`)
  const units = parseUnits(said.value.output)
  return units === undefined ? notKnown('systemctl did not answer for each unit') : known(units)
}

/**
 * @param text a paragraph for each of {@link UNITS}, in their order: an alias shows the name of its unit.
 * @returns undefined if there are more or fewer.
 */
export function parseUnits(text: string): Units | undefined {
  const paragraphs = text.trim().split(/\n\n+/)
  if (paragraphs.length !== UNITS.length) return undefined
  return new Map(UNITS.map((unit, i) => [unit, parseUnit(paragraphs[i] ?? '')]))
}

function parseUnit(paragraph: string): UnitState {
  const values = new Map<string, string>()
  const listens: string[] = []
  for (const line of paragraph.split('\n')) {
    const equals = line.indexOf('=')
    const [name, value] = [line.slice(0, equals), line.slice(equals + 1)]
    if (name === 'Listen') listens.push(value)
    else values.set(name, value)
  }
  const get = (name: string): string => values.get(name) ?? ''
  return {
    load: get('LoadState'),
    active: get('ActiveState'),
    sub: get('SubState'),
    enabled: get('UnitFileState'),
    file: get('FragmentPath'),
    result: get('Result'),
    restarts: Number(get('NRestarts')) || 0,
    needsReload: get('NeedDaemonReload') === 'yes',
    listens,
  }
}
