/** `gpgdir`: encrypts, decrypts, signs or verifies each file of a tree, in place. Nothing is ever lost on the way. */
import { optionHelp } from '../../cli/terminal/option-help.ts'
import type { Terminal } from '../../cli/terminal/terminal.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import { ownVersion } from '../../system/own-version.ts'
import { findKey, selfTest } from './keys.ts'
import { gpgFor, meansOf } from './means.ts'
import { argumentsOf } from './operations.ts'
import { GPGDIR_ABOUT, gpgdirOptions } from './options.ts'
import { parseRequest, type Request } from './request.ts'
import { runOnTree } from './tree-run.ts'

/** @returns the exit status: 0 all done, 1 some files failed, else that of the refusal (failure-codes.ts). */
export async function runGpgdir(argv: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseRequest(argv)
  if (!parsed.ok) return terminal.fail(parsed.failure)
  const request = parsed.value
  if (request === 'help') {
    terminal.print([USAGE, '', ...GPGDIR_ABOUT, '', ...optionHelp(gpgdirOptions, terminal.style).shown])
    return 0
  }
  if (request === 'version') {
    terminal.print(`gpgdir of ghostport ${ownVersion()}`)
    return 0
  }
  if (process.getuid?.() !== process.geteuid?.())
    return terminal.fail(refuse('GPGDIR_REFUSED', 'the real and the effective user differ').failure)
  const done = await perform(request, argv, terminal)
  return done.ok ? done.value : terminal.fail(done.failure)
}

const USAGE = 'gpgdir -e DIR  |  gpgdir -d DIR  |  gpgdir --sign-dir DIR  |  gpgdir --verify-dir DIR'

async function perform(request: Request, argv: readonly string[], terminal: Terminal): Promise<Result<number>> {
  const { operation } = request
  const means = meansOf(request)
  if (!means.ok) return means
  const gpg = await gpgFor(request, means.value, terminal)
  if (!gpg.ok) return gpg
  const { key } = means.value
  const usesKey = key !== 'symmetric' && operation !== 'verify'
  const found = usesKey ? await findKey(gpg.value, key, operation) : ok(undefined)
  if (!found.ok) return found
  if (operation === 'test') {
    const tried = await selfTest(gpg.value, argumentsOf('encrypt', means.value))
    if (tried.ok) terminal.print('[+] The key encrypts and decrypts')
    return tried.ok ? ok(0) : tried
  }
  try {
    const tools = { gpg: gpg.value, means: means.value, shown: found.value }
    return await runOnTree({ ...request, operation }, argv, terminal, tools)
  } catch (error) {
    if (errorCode(error) === undefined) throw error
    return refuse('GPGDIR_REFUSED', systemReason(error))
  }
}
