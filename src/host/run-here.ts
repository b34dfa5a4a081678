/** Runs a program of this host, and waits for its end. Never through a shell. */
import { spawnSync } from 'node:child_process'
import { textFromBytes } from '../bytes/text.ts'
import { PROGRAM_ENVIRONMENT } from '../system/program-environment.ts'
import { type Milliseconds, milliseconds } from '../units.ts'

export interface Ran {
  /** 0: it did its work. Undefined: it did not start, or did not end in time. */
  readonly status: number | undefined
  readonly output: string
  /** Why it failed: the last line that it wrote to standard error. */
  readonly reason: string
}

/** Longer than systemctl, nft and cp take on a busy host. */
const USUAL_TIME = milliseconds(60_000)
const MOST_OUTPUT = 4 << 20

/**
 * @param argv the program, by name or path, and its arguments.
 * @param more its standard input, and its limit of time.
 */
export function runHere(
  argv: readonly [string, ...string[]],
  { input = '', time = USUAL_TIME }: { readonly input?: string; readonly time?: Milliseconds } = {},
): Ran {
  const [program, ...args] = argv
  const ran = spawnSync(program, args, {
    timeout: time,
    maxBuffer: MOST_OUTPUT,
    env: PROGRAM_ENVIRONMENT,
    input,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const errors = textFromBytes(ran.stderr ?? new Uint8Array()).trim()
  if (ran.error !== undefined) {
    const { code } = ran.error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'is not installed' : code === 'ETIMEDOUT' ? 'did not end in time' : 'did not run'
    return { status: undefined, output: '', reason: `${program} ${why}` }
  }
  return {
    status: ran.status ?? undefined,
    output: textFromBytes(ran.stdout),
    reason: errors.split('\n').at(-1) || `it ended with ${ran.status ?? ran.signal ?? 'an error'}`,
  }
}
