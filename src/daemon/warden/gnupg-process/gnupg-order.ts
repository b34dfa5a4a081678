/** What the GnuPG process has to do under a configuration: with which keyrings, and how gpg is run. */
import { type DecrypterName, decrypterName } from '../../../access/keyring.ts'
import { type GnupgEncryption, gnupgOf, type Stanza } from '../../../access/stanza.ts'
import { exposeKey } from '../../../packet/key.ts'
import { type Failure, ok, type Result } from '../../../result.ts'
import { isExecutable } from '../../../system/privilege.ts'
import type { ToGnupg } from '../../link/gnupg-protocol.ts'
import { readKeyring } from './read-keyring.ts'

export type GnupgOrder = Pick<ToGnupg, 'keyrings' | 'decrypters'>

/** A way to run gpg, which one or more stanzas have. */
interface Way {
  readonly gnupg: GnupgEncryption
  /** The first of them. */
  readonly stanza: Stanza
  readonly decryptIds: Set<string>
  anyKey: boolean
}

/**
 * @returns undefined for stanzas without GnuPG; CONFIG_UNREADABLE or CONFIG_EXPOSED for a keyring, CONFIG_INVALID_VALUE
 * for a GPG_EXE that is no program, at the stanza.
 */
export function gnupgOrder(
  stanzas: readonly Stanza[],
): Result<GnupgOrder | undefined, Failure<'CONFIG_UNREADABLE' | 'CONFIG_EXPOSED' | 'CONFIG_INVALID_VALUE'>> {
  const ways = new Map<DecrypterName, Way>()
  for (const stanza of stanzas) {
    const gnupg = gnupgOf(stanza)
    if (gnupg === undefined) continue
    const name = decrypterName(gnupg)
    const way = ways.get(name) ?? { gnupg, stanza, decryptIds: new Set<string>(), anyKey: false }
    ways.set(name, way)
    if (gnupg.decryptIds === undefined) way.anyKey = true
    for (const id of gnupg.decryptIds ?? []) way.decryptIds.add(id)
  }
  if (ways.size === 0) return ok(undefined)
  const keyrings = new Map<string, GnupgOrder['keyrings'][number]>()
  const decrypters: GnupgOrder['decrypters'][number][] = []
  for (const [name, { gnupg, stanza, decryptIds, anyKey }] of ways) {
    const { home, program, passphrase } = gnupg
    const at = stanza.location
    if (!isExecutable(program)) {
      const detail = `GPG_EXE: ${program} is not a program that can be run (Debian: package gnupg)`
      return { ok: false, failure: { code: 'CONFIG_INVALID_VALUE', detail, at } }
    }
    if (!keyrings.has(home)) {
      const files = readKeyring(home)
      if (!files.ok)
        return { ok: false, failure: { ...files.failure, detail: `GPG_HOME_DIR: ${files.failure.detail}`, at } }
      keyrings.set(home, { home, files: files.value })
    }
    decrypters.push({
      ...{ name, home, program, anyKey, decryptIds: [...decryptIds] },
      ...(passphrase !== undefined && { passphrase: Buffer.from(exposeKey(passphrase)).toString('base64') }),
    })
  }
  return ok({ keyrings: [...keyrings.values()], decrypters })
}
