/** Whether the key is there, and can do what is asked of it: found out before any file is touched. */
import { printable } from '../../bytes/text.ts'
import { callGpg, type GpgProgram } from '../../gpg/program.ts'
import { statusLines } from '../../gpg/status-lines.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { verdictOf } from './operations.ts'
import type { NamedKey } from './rc-file.ts'
import type { Request } from './request.ts'

const NOTHING = new Uint8Array()
/** gpg's doc/DETAILS, field 2 of a key: expired, revoked, disabled, invalid. */
const UNUSABLE: Readonly<Record<string, string>> = {
  e: 'has expired',
  r: 'is revoked',
  d: 'is disabled',
  i: 'is invalid: its own signature is wrong, or the clock of this host is',
}

/**
 * @param key what the user named.
 * @returns how the key is shown to people; `GNUPG_FAILED` with the reason.
 */
export async function findKey(
  gpg: GpgProgram,
  key: NamedKey,
  operation: Exclude<Request['operation'], 'verify'>,
): Promise<Result<string, Failure<'GNUPG_FAILED'>>> {
  const needsSecret = operation !== 'encrypt'
  const list = needsSecret || key === 'default' ? '--list-secret-keys' : '--list-keys'
  const named = key === 'default' ? [] : ['--', key.id]
  const { output, broken } = await callGpg(gpg, ['--with-colons', list, ...named], NOTHING, 'none')
  if (broken !== undefined) return refuse('GNUPG_FAILED', broken)
  const keys = Buffer.from(output)
    .toString('utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([kind]) => kind === 'pub' || kind === 'sec')
  const kind = list === '--list-keys' ? 'public key' : 'secret key'
  const shown = key === 'default' ? 'default key' : `“${printable(key.id)}”`
  const [found, second] = keys
  if (found === undefined)
    return refuse('GNUPG_FAILED', `there is no ${kind} ${key === 'default' ? '' : `${shown} `}in ${gpg.home}`)
  if (second !== undefined && key !== 'default')
    return refuse('GNUPG_FAILED', `${shown} is a part of ${keys.length} ${kind}s in ${gpg.home}`, {
      suggestion: `-K ${found[4] ?? ''}`,
    })
  if (key === 'default') return ok('default key')
  // An old key still decrypts what was encrypted with it.
  if (operation === 'decrypt') return ok(key.id)
  const why = UNUSABLE[found[1] ?? '']
  if (why !== undefined) return refuse('GNUPG_FAILED', `the key ${shown} ${why}`)
  if (!(found[11] ?? '').includes(operation === 'sign' ? 'S' : 'E'))
    return refuse('GNUPG_FAILED', `the key ${shown} cannot ${operation === 'sign' ? 'sign' : 'encrypt'}`)
  return ok(key.id)
}

const LINE = Buffer.from('gpgdir: this line is encrypted and decrypted, to try the key\n')

/** Encrypts or signs a line in memory. @param args those of an encryption, or of a signature. */
export async function tryOnce(
  gpg: GpgProgram,
  args: readonly string[],
  what: 'encrypt' | 'sign',
): Promise<Result<void, Failure<'GNUPG_FAILED'>>> {
  const made = await callGpg(gpg, args, LINE)
  const verdict = verdictOf(what, { ...made, status: statusLines(made.status), remarks: remarksOf(made) })
  return verdict.whole ? ok(undefined) : refuse('GNUPG_FAILED', `the key cannot ${what}: ${printable(verdict.why)}`)
}

/**
 * Encrypts a line, decrypts it again, and compares: gpg, key and passphrase work.
 * @param args those of an encryption.
 */
export async function selfTest(
  gpg: GpgProgram,
  args: readonly string[],
): Promise<Result<void, Failure<'GNUPG_FAILED'>>> {
  const sealed = await callGpg(gpg, args, LINE)
  if (sealed.broken !== undefined || sealed.exit !== 0)
    return refuse(
      'GNUPG_FAILED',
      `the self-test cannot encrypt: ${printable(sealed.broken ?? remarksOf(sealed)[0] ?? `gpg ended with status ${sealed.exit}`)}`,
    )
  const opened = await callGpg(gpg, ['--decrypt'], sealed.output)
  if (opened.broken === undefined && opened.exit === 0 && LINE.equals(Buffer.from(opened.output))) return ok(undefined)
  const verdict = verdictOf('decrypt', { ...opened, status: statusLines(opened.status), remarks: remarksOf(opened) })
  return refuse(
    'GNUPG_FAILED',
    `the self-test cannot decrypt: ${printable(verdict.whole ? 'the text is not the same' : verdict.why)}`,
  )
}

function remarksOf({ remark }: { readonly remark: string }): readonly string[] {
  return remark === '' ? [] : [remark]
}
