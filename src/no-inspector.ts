/**
 * Keeps Node's inspector shut: who may talk to it reads the memory of the process and runs code in it. Node opens it at SIGUSR1,
 * on a port that every local user can reach, and at `--inspect` of its command line or of `NODE_OPTIONS`.
 */
import { type Failure, ok, type Result, refuse } from './result.ts'

/**
 * The first thing that each process of ours does. A listener takes Node's own place at SIGUSR1.
 * @returns PROCESS_EXPOSED where Node was told to open an inspector.
 */
export function forbidInspector(): Result<void, Failure<'PROCESS_EXPOSED'>> {
  process.on('SIGUSR1', () => {})
  const words = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  const asked = words.find((word) => /^-?-(inspect|debug)/.test(word))
  return asked === undefined ? ok(undefined) : refuse('PROCESS_EXPOSED', wouldTell(asked))
}

/**
 * Whether one was opened before {@link forbidInspector}, by a signal to a process that had only just started. Shuts it.
 * @returns PROCESS_EXPOSED where one was: somebody may have changed what runs.
 */
export async function shutInspector(): Promise<Result<void, Failure<'PROCESS_EXPOSED'>>> {
  const { url, close } = await import('node:inspector')
  if (url() === undefined) return ok(undefined)
  close()
  return refuse('PROCESS_EXPOSED', 'an inspector was open, through which others can read the keys: start again')
}

function wouldTell(option: string): string {
  return `Node’s option ${option} opens an inspector, through which others can read the keys: start without it`
}
