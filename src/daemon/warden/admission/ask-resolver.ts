/**
 * Asks the system’s resolver for the address of a name, in a separate process: getent(1), which reads the data of DNS
 * servers. It runs for one look-up, without a shell, as a user that runs nothing else. It has no capabilities, and only
 * a pipe of this process. It ends within seconds. The warden reads one line from it, and accepts an address or nothing.
 *
 * getent is part of the C library’s package, and asks all sources of nsswitch.conf (hosts file, DNS, systemd-resolved,
 * mDNS). A resolver inside Node.js would either read those answers as root, or need one more process of 40 MB.
 *
 * Where systemd starts the server's helpers, it also starts getent, in a unit of its own.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { connect } from 'node:net'
import type { NameQuestion } from '../../../access/openings.ts'
import type { LoadedConfig } from '../../../config/load.ts'
import type { Notice } from '../../../config/reading/notice.ts'
import { familyOf, parseAddress } from '../../../packet/address.ts'
import { systemReason } from '../../../system/errno.ts'
import { type Account, canSeparate, dropOptions, isExecutable, type Situation } from '../../../system/privilege.ts'
import { spawnApart } from '../../../system/spawn-apart.ts'
import { milliseconds } from '../../../units.ts'
import type { HelperName } from '../../link/receiver-start.ts'
import { HELPER_SOCKET_CURE } from '../receiver-process/helpers.ts'
import type { AskResolver, NameAnswer } from './name-lookups.ts'

/** No other process, no file, and 256 MB of memory. */
const LIMITS = ['--nproc=0', '--fsize=0', '--as=268435456']
/** From util-linux, like setpriv(1). */
const PRLIMIT_PATHS = ['/usr/bin/prlimit', '/bin/prlimit', '/run/current-system/sw/bin/prlimit']
const GETENT_PATHS = ['/usr/bin/getent', '/bin/getent', '/run/current-system/sw/bin/getent']
/** How long a look-up may take: time for three DNS servers, the most that resolv.conf may name. */
const LOOKUP_TIME = milliseconds(3000)
/**
 * By default the C library waits 5 s for the first server, so the second would never be asked. This has precedence over
 * resolv.conf.
 */
const RESOLVER_OPTIONS = 'timeout:1 attempts:2'
/** One line: an address, a socket type, and the name, which DNS limits to 255. */
const LONGEST_LINE = 512

/** The exit status of getent for a name without an address. */
const NO_ANSWER = 2

/** A program to start, without a shell. */
export interface LookupCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly options: Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'>
}

/**
 * @param accounts the users to run as: the first that this process can become. If it can become none, its own user,
 * without capabilities.
 * @param getent path of the program.
 * @param prlimit path of that program, if installed: a look-up can then start no process that would outlive it.
 */
export function lookupCommand(
  { name, family }: NameQuestion,
  accounts: readonly Account[],
  situation: Situation,
  getent: string,
  prlimit?: string,
): LookupCommand {
  const account = accounts.find((each) => canSeparate(each, situation))
  // A name never begins with a hyphen and has no blank (packet/nat-target.ts).
  const asked = [getent, `ahostsv${family}`, name] as const
  const words = prlimit === undefined ? asked : ([prlimit, ...LIMITS, ...asked] as const)
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', RES_OPTIONS: RESOLVER_OPTIONS } }
  if (situation.setpriv === undefined) {
    const [file, ...args] = words
    return { file, args, options: { ...options, ...(account && { uid: account.uid, gid: account.gid }) } }
  }
  const become = account === undefined ? [] : [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups']
  // Without it, nothing would end the look-up if this process is killed.
  const closed = [...dropOptions(false, situation), '--no-new-privs', '--pdeathsig=KILL']
  return { file: situation.setpriv, args: [...become, ...closed, '--', ...words], options }
}

/** Path of getent(1); undefined if it is not installed. */
export function findGetent(): string | undefined {
  return GETENT_PATHS.find(isExecutable)
}

/** Whether the configuration needs names that nothing on this host can look up. */
export function missingGetent(
  { policy: { nat }, at }: Pick<LoadedConfig, 'policy' | 'at'>,
  hasGetent: boolean = findGetent() !== undefined,
): readonly Notice[] {
  if (!nat.forward || !nat.resolveNames || hasGetent) return []
  const location = at.ENABLE_NAT_DNS
  const text =
    'ENABLE_NAT_DNS: inner hosts cannot be asked for by name here, since the program getent is missing. Install it ' +
    '(Debian: package libc-bin), or set ENABLE_NAT_DNS N'
  return [{ level: 'warning', text, ...(location !== undefined && { at: location }) }]
}

/** @param accounts as for {@link lookupCommand}. */
export function systemResolver(accounts: readonly Account[], situation: Situation): AskResolver {
  return async (question, signal) => {
    const getent = findGetent()
    if (getent === undefined) return { why: 'the program getent is not installed (Debian: package libc-bin)' }
    return await run(
      question,
      lookupCommand(question, accounts, situation, getent, PRLIMIT_PATHS.find(isExecutable)),
      signal,
    )
  }
}

/** @param path of the socket for which systemd starts helpers. */
export function resolverBySocket(path: string): AskResolver {
  return async (question, signal) =>
    findGetent() === undefined
      ? { why: 'the program getent is not installed (Debian: package libc-bin)' }
      : await askHelper(question, path, signal)
}

function askHelper({ name, family }: NameQuestion, path: string, signal: AbortSignal): Promise<NameAnswer> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve({ why: 'the look-up was ended before it began' })
      return
    }
    const begun = performance.now()
    let text = ''
    let late = false
    let fault: string | undefined
    const connection = connect(path)
    const end = (): void => void connection.destroy()
    const timer = setTimeout(() => {
      late = true
      end()
    }, LOOKUP_TIME)
    signal.addEventListener('abort', end)
    // The shell of the unit takes one line. A name has no blank, and begins with no hyphen (packet/nat-target.ts).
    connection.write(`${'name' satisfies HelperName} ${family} ${name}\n`)
    connection.setEncoding('latin1').on('data', (chunk: string) => {
      text = (text + chunk).slice(0, LONGEST_LINE)
      if (text.includes('\n') || text.length === LONGEST_LINE) end()
    })
    connection.on('error', (error) => {
      fault = `${path}: ${systemReason(error)}. ${HELPER_SOCKET_CURE}`
    })
    connection.once('close', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      const after = Math.round(performance.now() - begun)
      const ended = { family, late, after, status: NO_ANSWER, text }
      resolve(parseAnswer(text, family) ?? { why: fault ?? whyNone(ended) })
    })
  })
}

function run({ family }: NameQuestion, command: LookupCommand, signal: AbortSignal): Promise<NameAnswer> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve({ why: 'the look-up was ended before it began' })
      return
    }
    let child: ChildProcess
    try {
      child = spawnApart(command.file, command.args, { ...command.options, stdio: ['ignore', 'pipe', 'ignore'] })
    } catch (error) {
      resolve({ why: notStarted(error as Error) })
      return
    }
    const begun = performance.now()
    let text = ''
    let late = false
    const end = (): void => killAll(child)
    const timer = setTimeout(() => {
      late = true
      end()
    }, LOOKUP_TIME)
    signal.addEventListener('abort', end)
    const done = (answer: NameAnswer): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve(answer)
    }
    child.stdout?.setEncoding('latin1').on('data', (chunk: string) => {
      text = (text + chunk).slice(0, LONGEST_LINE)
      // The needed part is complete.
      if (text.includes('\n') || text.length === LONGEST_LINE) end()
    })
    child.once('error', (error) => done({ why: notStarted(error) }))
    child.once('close', (status) => {
      const after = Math.round(performance.now() - begun)
      done(parseAnswer(text, family) ?? { why: whyNone({ family, late, after, status, text }) })
    })
  })
}

/** @param text the output of getent. @returns the address at the start of its first line, if it has this family. */
export function parseAnswer(text: string, family: NameQuestion['family']): Extract<NameAnswer, string> | undefined {
  const [, head] = /^([0-9A-Fa-f.:]{2,45}) [^\n]*\n/.exec(text) ?? []
  const address = parseAddress(head ?? '')
  // If a name has only IPv4 addresses, ahostsv6 gives these, mapped.
  return address.ok && familyOf(address.value) === family ? address.value : undefined
}

function whyNone(ended: {
  readonly family: NameQuestion['family']
  readonly late: boolean
  /** Milliseconds. */
  readonly after: number
  readonly status: number | null
  readonly text: string
}): string {
  if (ended.late) return `the system’s resolver did not answer in ${LOOKUP_TIME} ms`
  // getent also reports a missing answer as no answer.
  if (ended.status === NO_ANSWER || ended.text !== '')
    return `the system’s resolver gave no IPv${ended.family} address for it (after ${ended.after} ms)`
  return ended.status === null ? 'getent was ended' : `getent ended with status ${ended.status}`
}

function notStarted(error: Error): string {
  return `getent cannot be started: ${error.message}`
}

/** It leads a process group of its own. */
function killAll(child: ChildProcess): void {
  child.kill('SIGKILL')
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Its group is already empty.
  }
}
