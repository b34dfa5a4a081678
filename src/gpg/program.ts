/** The real gpg(1), version 2.1 or later. Each call is one process. */
import { showText } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Milliseconds } from '../units.ts'
import { BAD_PASSPHRASE, gpgError, NO_PINENTRY, readDecryptionStatus, statusLines } from './decryption-status.ts'
import type { Gnupg, Parties } from './gnupg.ts'
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

/** A message in the wire format is always binary, and its digest of the file name empty. */
const ALWAYS = ['--batch', '--no-tty', '--status-fd', `${STATUS_DESCRIPTOR}`]
const FOR_DECRYPTION = ['--no-auto-key-retrieve', '--no-auto-check-trustdb', '--max-output', '4096', '--decrypt']
const FOR_ENCRYPTION = ['--no-armor', '--no-encrypt-to', '--trust-model', 'always']

export function gpgProgram(gpg: GpgProgram): Gnupg {
  const run = (args: readonly string[], input: Uint8Array, secret = gpg.passphrase) => call(gpg, args, input, secret)
  return {
    async encrypt(plaintext, parties) {
      const unknown = await unknownParty(parties, gpg, (args) => run(args, new Uint8Array(), 'none'))
      if (unknown !== undefined) return unknown
      const { recipient, signer } = parties
      const signing = signer === undefined ? [] : ['--sign', '--local-user', signer]
      const outcome = await run([...FOR_ENCRYPTION, ...signing, '--recipient', recipient, '--encrypt'], plaintext)
      if (outcome.broken === undefined && outcome.exit === 0 && outcome.output.length > 0) return ok(outcome.output)
      return refuse('GNUPG_FAILED', whyNotEncrypted(outcome, parties, gpg.home))
    },
    async decrypt(message) {
      const outcome = await run(FOR_DECRYPTION, message)
      if (outcome.broken !== undefined) return refuse('GNUPG_FAILED', outcome.broken)
      // gpg says nothing at all: it does not know an option, or has no home.
      if (outcome.status === '') return refuse('GNUPG_FAILED', showText(outcome.remark || 'gpg gave no status'))
      const read = readDecryptionStatus(outcome.status, outcome.exit)
      return read.ok ? ok({ plaintext: outcome.output, ...read.value }) : read
    },
  }
}

function call(
  { program, home, env, limit, through, options = [] }: GpgProgram,
  args: readonly string[],
  input: Uint8Array,
  secret: GpgProgram['passphrase'],
): Promise<GpgOutcome> {
  const all = ['--homedir', home, ...ALWAYS, ...passphraseOptions(secret), ...options, ...args]
  const passphrase = secret instanceof Uint8Array ? secret : undefined
  const [file, before] = through === undefined ? [program, []] : [through[0], [...through.slice(1), program]]
  return runGpg({ program: file, args: [...before, ...all], env, input, passphrase, limit })
}

function passphraseOptions(secret: GpgProgram['passphrase']): readonly string[] {
  if (secret === 'agent') return []
  if (secret === 'none') return ['--pinentry-mode', 'error']
  return ['--pinentry-mode', 'loopback', '--passphrase-fd', `${PASSPHRASE_DESCRIPTOR}`]
}

/** fwknop refuses a name that several keys have: a packet for the wrong one would be lost without a trace. */
async function unknownParty(
  { recipient, signer }: Parties,
  { home }: GpgProgram,
  run: (args: readonly string[]) => Promise<GpgOutcome>,
): Promise<Result<never, Failure<'GNUPG_FAILED'>> | undefined> {
  const asked = [
    { name: recipient, what: 'GPG_RECIPIENT', list: '--list-keys', kind: 'pub', keys: 'public keys' },
    ...(signer === undefined
      ? []
      : [{ name: signer, what: 'GPG_SIGNER', list: '--list-secret-keys', kind: 'sec', keys: 'secret keys' }]),
  ]
  for (const { name, what, list, kind, keys } of asked) {
    const { output, broken, status } = await run(['--with-colons', list, '--', name])
    if (broken !== undefined) return refuse('GNUPG_FAILED', broken)
    const found = Buffer.from(output)
      .toString('latin1')
      .split('\n')
      .filter((line) => line.startsWith(`${kind}:`)).length
    if (found > 1)
      return refuse('GNUPG_FAILED', `${what}: “${name}” is the name of ${found} ${keys} in ${home}: use a fingerprint`)
    if (found === 0 && !status.includes('KEYEXPIRED'))
      return refuse('GNUPG_FAILED', `${what}: “${name}” is none of the ${keys} in ${home} (gpg ${list})`)
  }
  return undefined
}

function whyNotEncrypted({ broken, status, remark, exit }: GpgOutcome, { recipient, signer }: Parties, home: string) {
  if (broken !== undefined) return broken
  const lines = statusLines(status)
  const has = (word: string): boolean => lines.some(([first]) => first === word)
  const error = gpgError(lines, 'FAILURE', 'sign-encrypt')
  if (error === BAD_PASSPHRASE) return `the passphrase of “${signer}” is wrong`
  if (error === NO_PINENTRY)
    return `the key “${signer}” has a passphrase, and gpg got none: let the agent ask for it (--gpg-agent)`
  if (has('INV_RECP')) return `“${recipient}” has no usable encryption key in ${home}: ${showText(remark)}`
  if (has('INV_SGNR')) return `“${signer}” has no usable signing key in ${home}: ${showText(remark)}`
  return showText(remark === '' ? `gpg ended with status ${exit}` : remark)
}
