/**
 * The first steps of each process of ours: a title that hides the arguments, no inspector, no memory in a core file.
 *
 * Node’s inspector lets its user read the memory of the process and run code in it. Node opens it at SIGUSR1, on a port
 * that every local user can reach, and at `--inspect` of its command line or of `NODE_OPTIONS`.
 */
import { writeFileSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../result.ts'

/**
 * What `ps` shows of a process. Node writes a title over the arguments, so that no key among them stays visible. It
 * also gives the title to the main thread, whose name has room for 15 bytes.
 */
export const WARDEN_TITLE = 'ghostport: warden'
/** The same of the program `fwknopd`, whose users look for that name. */
export const FWKNOPD_TITLE = 'fwknopd'
export const RECEIVER_TITLE = 'ghostport: receiver'
export const GNUPG_TITLE = 'ghostport: gnupg'
export const EXECUTOR_TITLE = 'ghostport: executor'
export const SENDER_TITLE = 'ghostport: sender'
export const CLUSTER_TITLE = 'ghostport: cluster'
export const ERRAND_TITLE = 'ghostport: cluster errand'

/** Node cuts a title that is longer than the command line of the process. Ours have long enough command lines. */
export function setProcessTitle(title: string): void {
  process.title = title
}

/**
 * Linux then writes cores with registers and without memory: core(5), “Controlling which mappings are written”. No
 * native part is needed, and started programs inherit it. The server’s processes forbid cores as well
 * (system/privilege.ts). On other systems this does nothing.
 */
export function keepMemoryOutOfCores(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0')
  } catch {
    // Not Linux, or a kernel that writes no cores.
  }
}

/**
 * The first call of each process of ours. A listener takes Node's own place at SIGUSR1.
 * @returns PROCESS_EXPOSED if Node was told to open an inspector.
 */
export function forbidInspector(): Result<void, Failure<'PROCESS_EXPOSED'>> {
  process.on('SIGUSR1', () => {})
  const words = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  const asked = words.find((word) => /^-?-(inspect|debug)/.test(word))
  return asked === undefined ? ok(undefined) : refuse('PROCESS_EXPOSED', wouldTell(asked))
}

/**
 * Whether an inspector was opened before {@link forbidInspector}, by a signal to a process that had just started. Shuts
 * it.
 * @returns PROCESS_EXPOSED if one was open: somebody may have changed the program.
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
