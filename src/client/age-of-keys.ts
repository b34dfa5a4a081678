/**
 * When the keys of a stanza were made, and when they end, if “ghostport client add” wrote it. The server may have other
 * keys since. It answers nobody, so the client can only say how old its own are.
 */
import { type KeyTimes, keyTimes, writtenSettings } from '../config/client/edit-fwknoprc.ts'
import { readUserFile } from '../system/user-file.ts'
import type { UnixSeconds } from '../units.ts'
import type { UsedStanza } from './rc-stanza.ts'

/** @returns undefined if the file does not say so: somebody else wrote the stanza. */
export function readKeyTimes({ file, name }: UsedStanza): KeyTimes | undefined {
  const read = readUserFile(file)
  const text = read.ok ? (read.value?.text ?? '') : ''
  // The keys of a node are as old as the secret of its fleet.
  const fleet = writtenSettings(text, name).find((it) => it.name === 'FLEET')?.value
  return keyTimes(text, fleet || name)
}

/** Why a port may have stayed shut, if the age of the keys can be a cause. */
export interface AgeCause {
  readonly text: string
  /** Whether it is the likeliest cause. */
  readonly certain: boolean
}

export function causeOfAge(stanza: UsedStanza, now: UnixSeconds): AgeCause | undefined {
  const times = readKeyTimes(stanza)
  if (times === undefined) return undefined
  const cure = 'Ask the administrator for a new profile, and run “ghostport client add --replace”.'
  if (times.until !== undefined && Date.parse(times.until) <= now * 1000)
    return { certain: true, text: `The keys of [${stanza.name}] ended at ${times.until}. ${cure}` }
  return {
    certain: false,
    text: `The keys of [${stanza.name}] were made at ${times.made}. If the server gave out new ones since, the old ones may have ended. ${cure}`,
  }
}
