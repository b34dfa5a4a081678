/** Decrypts, and verifies, with the real gpg. */
import { showText } from '../bytes/text.ts'
import { ok, refuse } from '../result.ts'
import { readDecryptionStatus } from './decryption-status.ts'
import type { Decrypt } from './gnupg.ts'
import { callGpg, type GpgProgram } from './program.ts'

/** It fetches no key and asks nobody. No plaintext of a packet is longer. */
const FOR_DECRYPTION = ['--no-auto-key-retrieve', '--no-auto-check-trustdb', '--max-output', '4096', '--decrypt']

export function gpgDecrypt(gpg: GpgProgram): Decrypt {
  return async (message) => {
    const outcome = await callGpg(gpg, FOR_DECRYPTION, message)
    if (outcome.broken !== undefined) return refuse('GNUPG_FAILED', outcome.broken)
    // gpg says nothing at all: it does not know an option, or has no home.
    if (outcome.status === '') return refuse('GNUPG_FAILED', showText(outcome.remark || 'gpg gave no status'))
    const read = readDecryptionStatus(outcome.status, outcome.exit)
    return read.ok ? ok({ plaintext: outcome.output, ...read.value }) : read
  }
}
