/**
 * Keeps Node's inspector shut: who may talk to it reads the memory of the process and runs code in it. Node opens it at SIGUSR1,
 * on a port that every local user can reach, and at `--inspect` of its command line or of `NODE_OPTIONS`.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'

/**
 * Called first of all. A listener takes Node's own place at SIGUSR1.
 * @returns PRIVILEGE_EXCESSIVE where an inspector is open, or will be for what is started from here.
 */
export async function forbidInspector(): Promise<Result<void, Failure<'PRIVILEGE_EXCESSIVE'>>> {
  process.on('SIGUSR1', () => {})
  const asked = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)].find((word) =>
    /^--(inspect|debug)/.test(word),
  )
  if (asked !== undefined)
    return refuse('PRIVILEGE_EXCESSIVE', `${asked} would let others read the keys: start ghostport without it`)
  const { url, close } = await import('node:inspector')
  if (url() === undefined) return ok(undefined)
  close()
  return refuse('PRIVILEGE_EXCESSIVE', 'an inspector was open, through which others could read the keys')
}
