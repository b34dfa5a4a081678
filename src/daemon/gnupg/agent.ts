/**
 * gpg-agent holds the secret keys for gpg: one for each keyring. gpg would start it in the background, where it
 * outlives all others. So it is started here, around a program that ends with this process: gpg-agent then ends too,
 * and it never leaves the process group.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { milliseconds } from '../../units.ts'

/** How long it may take to listen. */
const START_TIME = milliseconds(5000)
const LOOK_INTERVAL = milliseconds(5)
/** Characters of its text for people. */
const LONGEST_REMARK = 1000

export interface AgentOptions {
  /** A copy of a keyring. */
  readonly home: string
  /** Path of gpg, beside which the agent is. */
  readonly gpg: string
  /** A program that becomes the agent, and its arguments before the agent’s. */
  readonly through: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Called when it ends. */
  readonly onEnd: (why: string) => void
}

/** @returns when it listens; GNUPG_FAILED if it does not. */
export async function startAgent({
  home,
  gpg,
  through,
  env,
  onEnd,
}: AgentOptions): Promise<Result<ChildProcess, Failure<'GNUPG_FAILED'>>> {
  const beside = join(dirname(gpg), 'gpg-agent')
  const agent = existsSync(beside) ? beside : '/usr/bin/gpg-agent'
  // It asks nobody, and has no smart card.
  const options = ['--no-detach', '--disable-scdaemon', '--pinentry-program', '/bin/false', '--daemon', '/bin/cat']
  const [file = '', ...args] = [...through, agent, '--homedir', home, ...options]
  // Its standard input ends with this process.
  const child = spawn(file, args, { env, cwd: '/', stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin?.on('error', () => {})
  let why: string | undefined
  let remark = ''
  child.stderr?.setEncoding('latin1').on('data', (text: string) => {
    remark = (remark + text).slice(-LONGEST_REMARK)
  })
  child.once('error', (error) => {
    why = error.message
  })
  child.once('exit', (status, signal) => {
    why ??= `it ended with ${signal ?? `status ${status}`}: ${remark.trimEnd().split('\n').at(-1)}`
    onEnd(`${agent}: ${why}`)
  })
  const deadline = performance.now() + START_TIME
  const path = join(home, 'S.gpg-agent')
  while (!existsSync(path)) {
    if (why !== undefined) return refuse('GNUPG_FAILED', `${agent}: ${why}`)
    if (performance.now() > deadline) return refuse('GNUPG_FAILED', `${agent} does not listen`)
    await delay(LOOK_INTERVAL)
  }
  watch(path, () => onEnd(`${agent} is gone: ${remark.trimEnd().split('\n').at(-1)}`))
  return ok(child)
}

/** Keeps a connection to the agent, which ends with it. */
function watch(path: string, onEnd: () => void): void {
  const connection = connect(path)
  connection.on('error', () => {})
  connection.on('close', onEnd)
  connection.resume()
}
