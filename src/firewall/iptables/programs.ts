/**
 * The programs of iptables, run as the host has them: by argument vector, with a time limit, and with an environment of
 * our own. Nothing of a packet reaches them but addresses, ports and encoded user names (`record.ts`).
 */
import { spawn } from 'node:child_process'
import { printable } from '../../bytes/text.ts'
import type { AddressFamily } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { keepToOurselves } from '../../system/keep-to-ourselves.ts'
import { PROGRAM_ENVIRONMENT } from '../../system/program-environment.ts'
import { milliseconds } from '../../units.ts'

/** Waits so long for the lock of iptables, in seconds, which another program may hold. */
const LOCK_WAIT = 5
/** How long a program may take, the waiting for the lock included. */
const PROGRAM_TIME = milliseconds(10_000)
const MOST_OUTPUT = 64 * 1024 * 1024
/** What is shown of a program's complaint. */
const LONGEST_COMPLAINT = 300

export type ProgramFailure = Failure<'FIREWALL_REFUSED' | 'FIREWALL_UNAVAILABLE'>

export interface Programs {
  /** `iptables-restore --noflush`: each table of the input is changed completely or not at all. */
  restore(family: AddressFamily, input: string): Promise<Result<void, ProgramFailure>>
  /** `iptables-save`, of one table. @param counters whether each rule has the number of packets that it matched. */
  save(family: AddressFamily, table: string, counters?: 'counted'): Promise<Result<string, ProgramFailure>>
  /** `iptables -L`, in the form of fwknopd, for people and scripts. @param chain empty: every chain of the table. */
  list(family: AddressFamily, table: string, chain: string): Promise<Result<string, ProgramFailure>>
}

/** The programs that belong to this one, by the name or path of FIREWALL_EXE. */
export function programsOf(program: string): readonly string[] {
  const six = program.replace(/iptables(-\w+)?$/, 'ip6tables$1')
  return [program, six].flatMap((one) => [one, `${one}-restore`, `${one}-save`])
}

/** @param program FIREWALL_EXE: a name, or the path of it. */
export function systemPrograms(program: string): Programs {
  const ofFamily = (family: AddressFamily): string =>
    family === 4 ? program : program.replace(/iptables(-\w+)?$/, 'ip6tables$1')
  const named = (family: AddressFamily, what: 'restore' | 'save'): string => `${ofFamily(family)}-${what}`
  return {
    restore: async (family, input) => {
      const done = await run(named(family, 'restore'), ['--noflush', '-w', String(LOCK_WAIT)], input)
      return done.ok ? ok(undefined) : done
    },
    save: (family, table, counters) =>
      run(named(family, 'save'), [...(counters === 'counted' ? ['-c'] : []), '-t', table], ''),
    list: (family, table, chain) =>
      run(
        ofFamily(family),
        ['-w', String(LOCK_WAIT), '-t', table, '-n', '--line-numbers', '-L', ...(chain === '' ? [] : [chain])],
        '',
      ),
  }
}

function run(program: string, argv: readonly string[], input: string): Promise<Result<string, ProgramFailure>> {
  return new Promise((resolve) => {
    keepToOurselves()
    const child = spawn(program, argv, {
      stdio: ['pipe', 'pipe', 'pipe'],
      // A session of its own: a Ctrl-C for us must not end it half-way.
      detached: true,
      env: PROGRAM_ENVIRONMENT,
    })
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, PROGRAM_TIME)
    let [output, complaint] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length + text.length > MOST_OUTPUT) child.kill('SIGKILL')
      else output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, LONGEST_COMPLAINT)
    })
    // It may end before it has read all.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const done = (result: Result<string, ProgramFailure>): void => {
      clearTimeout(timer)
      resolve(result)
    }
    child.once('error', (error: NodeJS.ErrnoException) => done(notStarted(program, error)))
    child.once('close', (status) => {
      if (status === 0) return done(ok(output))
      if (late)
        return done(
          refuse('FIREWALL_UNAVAILABLE', `${program} did not end in ${PROGRAM_TIME} ms`, {
            suggestion: 'see which program holds the lock /run/xtables.lock',
          }),
        )
      done(refused(program, status, complaint))
    })
  })
}

function notStarted(program: string, { code, message }: NodeJS.ErrnoException): Result<never, ProgramFailure> {
  return code === 'ENOENT'
    ? refuse('FIREWALL_UNAVAILABLE', `${program} is not installed (Debian: package iptables)`, {
        suggestion: 'install it, or use FIREWALL nftables',
      })
    : refuse('FIREWALL_UNAVAILABLE', `${program} cannot be started: ${message}`)
}

/** xtables.h: RESOURCE_PROBLEM, when another program holds the lock. */
const LOCKED = 4

function refused(program: string, status: number | null, complaint: string): Result<never, ProgramFailure> {
  // The last line asks to try --help.
  const said = printable(
    complaint
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('Try `'))
      .join('; '),
  )
  if (status === LOCKED || /xtables lock/.test(complaint))
    return refuse('FIREWALL_UNAVAILABLE', `${program}: another program holds the lock of iptables for ${LOCK_WAIT} s`)
  if (/Permission denied|must be root|not permitted/i.test(complaint))
    return refuse(
      'FIREWALL_UNAVAILABLE',
      `${program} may not change the firewall: ${said} (CAP_NET_ADMIN, CAP_NET_RAW)`,
    )
  return refuse(
    'FIREWALL_REFUSED',
    `${program} ended with ${status === null ? 'a signal' : `status ${status}`}: ${said}`,
  )
}
