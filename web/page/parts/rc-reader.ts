/**
 * Reads the text of a `.fwknoprc`, and the profile of a fleet. A part of its own: to say what belongs on the server, it
 * knows all its settings.
 */
import type { RcChange } from '../../../src/config/client/edit-fwknoprc.ts'
import { nodeProfiles, parseFleetProfile } from '../../../src/config/client/fleet-profile.ts'
import { parseFwknoprc } from '../../../src/config/client/parse-fwknoprc.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'

export interface RcStanza {
  readonly name: string
  readonly settings: readonly RcChange[]
  /** Unix seconds. Absent: nobody said. */
  readonly made?: number
  readonly until?: number
}

/** @returns its stanzas, each with what [default] says besides; or the first thing that is wrong, with its line. */
export function readRc(text: string): Result<readonly RcStanza[], Failure> {
  const file = parseFwknoprc('the text', text)
  if (!file.ok) return file
  const stanzas: RcStanza[] = []
  for (const name of file.value.stanzas.length > 0 ? file.value.stanzas : ['default']) {
    if (file.value.nodesOf(name) !== undefined) continue
    const settings = file.value.settings(name)
    if (!settings.ok) return settings
    stanzas.push({ name, settings: file.value.texts(name) })
  }
  return stanzas.length > 0 ? ok(stanzas) : refuse('PROFILE_INVALID', 'there is no stanza in this text')
}

/** @returns the servers of a fleet, each with its own keys. The secret, from which they are derived, is not kept. */
export function readFleet(text: string): Result<readonly RcStanza[], Failure> {
  const profile = parseFleetProfile(text)
  return profile.ok ? ok(nodeProfiles(profile.value)) : profile
}

/** The stanzas of an `access.conf`, as a client needs them. */
export { clientHalves as readAccess } from '../../../src/config/access/client-half.ts'

// They need the same tables of settings, and are as seldom used.
export { exportProfiles, importProfiles } from '../vault/transfer.ts'
