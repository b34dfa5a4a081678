/** The names of old keys, as “ghostport user rotate” gives them: `ada.old-20261126`, `ada.old-20261126-2`. Pure. */
import type { StanzaName } from '../../access/stanza-name.ts'

const OLD_KEYS = /^(.+)\.old-[0-9]{8}(-[0-9]+)?$/

/** @returns the name of the user whose keys these were, cut if it is long; undefined for another name. */
export function ownerOfOldKeys(name: StanzaName | string): string | undefined {
  return OLD_KEYS.exec(name)?.[1]
}
