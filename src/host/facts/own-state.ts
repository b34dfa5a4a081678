/** What ghostport itself has on this host: units, files of configuration, and a running server. */
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'
import { lookAtUnits, type UnitState } from './systemd.ts'

export interface OwnState {
  /** The units that there are; a unit that does not exist is undefined. */
  readonly service: Known<UnitState | undefined>
  readonly gate: Known<UnitState | undefined>
  /** The usual files of configuration that are there. */
  readonly files: readonly string[]
  /** What a running server says of itself (`daemon/warden/status.ts`); undefined if none runs. */
  readonly status: Known<unknown>
}

export const USUAL_SETTINGS = '/etc/fwknop/fwknopd.conf'
export const USUAL_STANZAS = '/etc/fwknop/access.conf'
export const USUAL_CONTROL_SOCKET = '/run/ghostport/control.sock'

export async function lookAtOwnState(looker: Looker): Promise<Known<OwnState>> {
  const units = await lookAtUnits(looker)
  const unit = (name: 'ghostport.service' | 'ghostport-gate.service'): Known<UnitState | undefined> => {
    if (!units.known) return units
    const state = units.value.get(name)
    return known(state?.load === 'not-found' ? undefined : state)
  }
  const files: string[] = []
  for (const path of [USUAL_SETTINGS, USUAL_STANZAS]) {
    const found = looker.stat(path)
    if (!found.known) return notKnown(`${path}: ${found.because}`)
    if (found.value !== undefined) files.push(path)
  }
  return known({
    service: unit('ghostport.service'),
    gate: unit('ghostport-gate.service'),
    files,
    status: await looker.control(USUAL_CONTROL_SOCKET),
  })
}
