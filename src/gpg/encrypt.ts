/** Encrypts, and signs, with the real gpg. */
import { showText } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Encrypt, Parties } from './gnupg.ts'
import { callGpg, type GpgProgram } from './program.ts'
import type { GpgOutcome } from './run.ts'
import { BAD_PASSPHRASE, gpgError, NO_PINENTRY, statusLines } from './status-lines.ts'

/** The recipient need not be trusted, as in fwknop: the user has named its key. */
const FOR_ENCRYPTION = ['--no-armor', '--no-encrypt-to', '--trust-model', 'always']

export function gpgEncrypt(gpg: GpgProgram): Encrypt {
  return async (plaintext, parties) => {
    const unknown = await unknownParty(parties, gpg, (args) => callGpg(gpg, args, new Uint8Array(), 'none'))
    if (unknown !== undefined) return unknown
    const { recipient, signer } = parties
    const signing = signer === undefined ? [] : ['--sign', '--local-user', signer]
    const args = [...FOR_ENCRYPTION, ...signing, '--recipient', recipient, '--encrypt']
    const outcome = await callGpg(gpg, args, plaintext)
    if (outcome.broken === undefined && outcome.exit === 0 && outcome.output.length > 0) return ok(outcome.output)
    return refuse('GNUPG_FAILED', whyNotEncrypted(outcome, parties, gpg.home))
  }
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
