/** `~/.gpgdirrc`: the first line that names a key counts. */
import { nearest } from '../../config/reading/nearest.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'

/** `default`: the choice is gpg’s. */
export type NamedKey = 'default' | { readonly id: string }

/** @returns undefined if no line names a key, as in the file that gpgdir makes. */
export function parseRcFile(text: string, file: string): Result<NamedKey | undefined, Failure<'CONFIG_SYNTAX'>> {
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const [, word = '', value = ''] = /^(\S+)\s*(.*)$/.exec(line) ?? []
    if (word === 'default_key' && value === '') return ok('default')
    if (word === 'use_key' && value !== '') return ok({ id: value })
    const at = { file, line: i + 1 }
    if (word === 'use_key')
      return refuse('CONFIG_SYNTAX', 'use_key needs a key', { at, suggestion: 'use_key ABCD1234' })
    if (word === 'default_key') return refuse('CONFIG_SYNTAX', `default_key takes no value`, { at })
    const meant = nearest(word, ['use_key', 'default_key'])
    return refuse(
      'CONFIG_SYNTAX',
      `there is no setting “${word}”`,
      meant === undefined ? { at } : { at, suggestion: meant },
    )
  }
  return ok(undefined)
}

/** What gpgdir writes where there is no such file. */
export const RC_TEMPLATE = `# The key that gpgdir uses. Remove the # of one line.
#
# A key of your keyring: its id, its fingerprint, or a part of its user id.
#use_key KEY
#
# The default key of gpg.
#default_key
`
