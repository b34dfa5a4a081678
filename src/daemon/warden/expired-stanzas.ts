/** Warns of expired stanzas at each start and reload. If all stanzas have expired, the server lets nobody in. */
import { showTime } from '../../access/age.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { UnixSeconds } from '../../units.ts'

/** @returns one warning for all of them, located at the first. */
export function expiredStanzas(
  { policy: { stanzas } }: Pick<LoadedConfig, 'policy'>,
  now: UnixSeconds,
): readonly Notice[] {
  const expired = stanzas.filter(({ expires }) => expires !== undefined && now >= expires)
  const [first] = expired
  if (first?.expires === undefined) return []
  const others = expired.length === 1 ? '' : ` and ${expired.length - 1} ${expired.length === 2 ? 'other' : 'others'}`
  const nobody = expired.length === stanzas.length ? '. There is no other stanza: nobody gets in' : ''
  return [
    {
      level: 'warning',
      text: `${describeStanza(first.id, first.name)}${others}: expired (ACCESS_EXPIRE), since ${showTime(first.expires)}${nobody}`,
      at: first.location,
    },
  ]
}
