/** Key and passphrase: from the command line, from `~/.gpgdirrc`, from a file, or from the person at the terminal. */
import { isAbsolute, join, resolve } from 'node:path'
import type { Terminal } from '../../cli/terminal/terminal.ts'
import type { GpgProgram } from '../../gpg/program.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { homeDirectory } from '../../system/home.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import { readSecretFile, readUserFile } from '../../system/user-file.ts'
import { milliseconds } from '../../units.ts'
import type { Means } from './operations.ts'
import { parseRcFile, RC_TEMPLATE } from './rc-file.ts'
import type { Request } from './request.ts'

/** For what is in memory: keys are listed, a line is encrypted. A person may have to type a passphrase meanwhile. */
const GPG_LIMIT = milliseconds(120_000)

/** The key, from the command line or from ~/.gpgdirrc; one that is missing is made, for the user to edit. */
export function meansOf({ key, armor, operation, homes }: Request): Result<Means> {
  if (key !== undefined) return ok({ key, armor })
  if (operation === 'verify') return ok({ key: 'default', armor })
  const home = homes.user ?? homeDirectory()
  if (home === undefined) return refuse('CONFIG_UNREADABLE', 'you have no home folder: name a key with -K')
  const file = join(home, '.gpgdirrc')
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value === undefined) {
    const made = createUserFile(file, RC_TEMPLATE)
    if (!made.ok) return made
    return refuse('CONFIG_MISSING_KEY', `${file} was made: name your key in it, or use -K, -D or -S`)
  }
  const named = parseRcFile(read.value.text, file)
  if (!named.ok) return named
  if (named.value === undefined)
    return refuse('CONFIG_MISSING_KEY', `${file} names no key`, { suggestion: 'use_key KEY' })
  return ok({ key: named.value, armor })
}

/** @returns gpg with keyring and passphrase. A person is asked for a passphrase only if one is needed. */
export async function gpgFor(request: Request, { key }: Means, terminal: Terminal): Promise<Result<GpgProgram>> {
  const keyring = keyringOf(request)
  if (keyring === undefined)
    return refuse('CONFIG_UNREADABLE', 'you have no home folder: name the folder of the keyring with -g')
  const passphrase = await passphraseFor(request, key, terminal)
  if (!passphrase.ok) return passphrase
  const { LC_ALL: _, ...env } = process.env
  const locale = request.locale ?? process.env['LC_ALL']
  return ok({
    program: 'gpg',
    home: isAbsolute(keyring) ? keyring : resolve(keyring),
    passphrase: passphrase.value,
    env: { ...env, ...(locale !== undefined && { LC_ALL: locale }) },
    limit: GPG_LIMIT,
  })
}

/** As gpg has it: GNUPGHOME, else `.gnupg` in the home folder. What the command line names comes first. */
function keyringOf({ homes }: Request): string | undefined {
  if (homes.gnupg !== undefined) return homes.gnupg
  if (homes.user === undefined && process.env['GNUPGHOME']) return process.env['GNUPGHOME']
  const home = homes.user ?? homeDirectory()
  return home === undefined ? undefined : join(home, '.gnupg')
}

async function passphraseFor(
  { passphrase, operation, test, trial, obfuscate }: Request,
  key: Means['key'],
  terminal: Terminal,
): Promise<Result<GpgProgram['passphrase']>> {
  if (passphrase === 'agent' || passphrase === 'none') return ok(passphrase)
  const readsMaps = obfuscate && operation === 'decrypt'
  const isNeeded = trial
    ? readsMaps
    : operation !== 'verify' && (operation !== 'encrypt' || test || obfuscate || key === 'symmetric')
  if (!isNeeded) return ok('none')
  if (passphrase !== 'ask') {
    const read = readSecretFile(resolve(passphrase.file))
    if (!read.ok) return read
    const [first = ''] = read.value.split('\n')
    return first === ''
      ? refuse('CONFIG_UNREADABLE', `${passphrase.file}: its first line is empty`)
      : ok(Buffer.from(first))
  }
  const typed = await terminal.askSecret(key === 'symmetric' ? 'passphrase' : 'passphrase of the key')
  if (!typed.ok || operation !== 'encrypt' || key !== 'symmetric') return typed
  // Nobody could decrypt what was encrypted with a mistyped one.
  const again = await terminal.askSecret('the same again')
  if (!again.ok) return again
  return Buffer.from(typed.value).equals(Buffer.from(again.value))
    ? typed
    : refuse('KEY_MISSING', 'the two passphrases differ')
}
