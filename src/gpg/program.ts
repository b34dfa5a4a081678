/** The real gpg(1), version 2.1 or later. Each call is one process. */
import type { Milliseconds } from '../units.ts'
import { type GpgOutcome, PASSPHRASE_DESCRIPTOR, runGpg, STATUS_DESCRIPTOR } from './run.ts'

export interface GpgProgram {
  /** Path of gpg. */
  readonly program: string
  /** The folder with the keyring. */
  readonly home: string
  /**
   * For the secret key: its passphrase; `agent`, which has it or asks for it; or `none`, for a key without one. Nobody
   * is asked then.
   */
  readonly passphrase: Uint8Array | 'agent' | 'none'
  readonly env: NodeJS.ProcessEnv
  /** For each call. */
  readonly limit: Milliseconds
  /** A program that becomes gpg, and its arguments before those of gpg: setpriv(1). */
  readonly through?: readonly [string, ...string[]]
  /** Further options of gpg. */
  readonly options?: readonly string[]
}

const ALWAYS = ['--batch', '--no-tty', '--status-fd', `${STATUS_DESCRIPTOR}`]

/** Runs gpg with these arguments, behind those that each call has. @param secret default: that of `gpg`. */
export function callGpg(
  gpg: GpgProgram,
  args: readonly string[],
  input: Uint8Array,
  secret: GpgProgram['passphrase'] = gpg.passphrase,
): Promise<GpgOutcome> {
  const { file, argv, passphrase } = gpgCommand(gpg, args, secret)
  return runGpg({ program: file, args: argv, env: gpg.env, input, passphrase, limit: gpg.limit })
}

/** How gpg is started: its program, its arguments, and what it reads from {@link PASSPHRASE_DESCRIPTOR}. */
export interface GpgCommand {
  readonly file: string
  readonly argv: readonly string[]
  readonly passphrase: Uint8Array | undefined
}

/** @param secret default: that of `gpg`. */
export function gpgCommand(
  { program, home, through, passphrase: usual, options = [] }: GpgProgram,
  args: readonly string[],
  secret: GpgProgram['passphrase'] = usual,
): GpgCommand {
  const all = ['--homedir', home, ...ALWAYS, ...passphraseOptions(secret), ...options, ...args]
  const passphrase = secret instanceof Uint8Array ? secret : undefined
  const [file, before] = through === undefined ? [program, []] : [through[0], [...through.slice(1), program]]
  return { file, argv: [...before, ...all], passphrase }
}

function passphraseOptions(secret: GpgProgram['passphrase']): readonly string[] {
  if (secret === 'agent') return []
  if (secret === 'none') return ['--pinentry-mode', 'error']
  return ['--pinentry-mode', 'loopback', '--passphrase-fd', `${PASSPHRASE_DESCRIPTOR}`]
}
