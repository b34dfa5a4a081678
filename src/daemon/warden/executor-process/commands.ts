/**
 * The warden’s side of commands: an executor that is started where the configuration has commands, and again when it
 * dies; the jobs that it has; and what became of them, for the log and for status.
 */
import type { ChildProcess } from 'node:child_process'
import type { CommandRule } from '../../../access/command.ts'
import { ruleKey } from '../../../access/rule-key.ts'
import type { StanzaId } from '../../../access/stanza.ts'
import type { CommandAction } from '../../../access/verdict.ts'
import { printable } from '../../../bytes/text.ts'
import type { CommandFailure, CommandRunner } from '../../../commands/commands.ts'
import type { LoadedConfig } from '../../../config/load.ts'
import type { Log, LogField } from '../../../log.ts'
import { ok, type Result, refuse } from '../../../result.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'
import { type Channel, openChannel } from '../../link/channel.ts'
import { type EndReport, type JobNumber, parseFromExecutor, type ToExecutor } from '../../link/executor-protocol.ts'
import { logReceiverErrors } from '../receiver-process/standard-error.ts'
import type { SpawnedExecutor } from './spawn.ts'

/** Jobs that have not ended: in all, and of one stanza. */
const MOST_JOBS = 512
const MOST_JOBS_OF_STANZA = 32
/** How many ends `status` shows. */
const REMEMBERED = 20
/** How long to wait before the n-th new start in a row; the last value repeats. */
const RESTART_DELAYS: readonly Milliseconds[] = [100, 1000, 5000, 30_000].map(milliseconds)
/** An executor that lived this long was healthy. */
const WELL_AFTER = milliseconds(60_000)
/** How long its programs may take to end when the server stops; systemd waits for 5 s. */
const STOP_TIME = milliseconds(3500)
/** How long after its end the last reports of an executor may take to arrive. */
const LAST_REPORTS_TIME = milliseconds(50)
/** Characters of a program’s output in the log. */
const OUTPUT_SHOWN = 2000

type Fields = { readonly [name: string]: LogField }

/** What a job is for. */
interface Job {
  readonly stanza: StanzaId
  readonly fields: Fields
}

/** For `ghostport status`. */
export interface CommandStatus {
  /** Jobs that have not ended. */
  readonly running: number
  readonly ended: number
  /** Of the ended ones: those that did not exit with status 0. */
  readonly failed: number
  /** Newest first; the fields of the log. */
  readonly last: readonly Fields[]
}

export interface CommandsParts {
  /** `never`: it is logged what would run. */
  readonly spawn: 'never' | (() => SpawnedExecutor)
  readonly log: Log
}

export class Commands implements CommandRunner {
  readonly #parts: CommandsParts
  readonly #jobs = new Map<JobNumber, Job>()
  readonly #ofStanza = new Map<StanzaId, number>()
  #lastJob = 0
  #child: ChildProcess | undefined
  #channel: Channel | undefined
  #needed = false
  #stopped = false
  #restarts = 0
  #timer: NodeJS.Timeout | undefined
  #usesSudo = false
  #ended = 0
  #failed = 0
  #last: Fields[] = []

  constructor(parts: CommandsParts) {
    this.#parts = parts
  }

  /** Starts the executor if this configuration needs one; else has a running one read the files again. */
  configured({ policy }: Pick<LoadedConfig, 'policy'>): void {
    this.#usesSudo = policy.stanzas.some(({ commands }) => commands?.sudo !== undefined)
    if (this.#child !== undefined) this.#send({ type: 'configure' })
    else if (runsCommands({ policy })) {
      this.#needed = true
      this.#start()
    }
  }

  runCommand(
    { command, facts }: CommandAction,
    stanza: StanzaId,
    rule: CommandRule,
  ): Result<JobNumber, CommandFailure> {
    const fields = {
      stanza,
      ...(facts.stanza !== `${stanza}` && { name: facts.stanza }),
      ...{ command, for: facts.source, user: facts.username },
    }
    return this.#submit({ stanza, fields }, (job) => ({ type: 'command', job, rule: ruleKey(rule), command, facts }))
  }

  #submit(job: Job, message: (number: JobNumber) => ToExecutor): Result<JobNumber, CommandFailure> {
    if (this.#parts.spawn === 'never') return this.#onlyTell(job)
    const { stanza } = job
    const waiting = this.#ofStanza.get(stanza) ?? 0
    if (this.#channel === undefined) return refuse('COMMANDS_UNAVAILABLE', 'the executor is not running: see the log')
    if (waiting >= MOST_JOBS_OF_STANZA)
      return refuse('COMMANDS_BUSY', `${waiting} commands of this stanza have not ended, which is the limit`)
    if (this.#jobs.size >= MOST_JOBS)
      return refuse('COMMANDS_BUSY', `${MOST_JOBS} commands have not ended, which is the limit`)
    const number = ++this.#lastJob
    this.#jobs.set(number, job)
    this.#ofStanza.set(stanza, waiting + 1)
    this.#send(message(number))
    return ok(number)
  }

  #onlyTell({ fields }: Job): Result<JobNumber, CommandFailure> {
    const job = ++this.#lastJob
    this.#parts.log.write('info', 'command', { job, ...fields, end: 'not run' })
    return ok(job)
  }

  /** @returns undefined for a server that runs no commands. */
  status(): CommandStatus | undefined {
    if (!this.#needed) return undefined
    return { running: this.#jobs.size, ended: this.#ended, failed: this.#failed, last: this.#last.toReversed() }
  }

  /** Ends the executor, and what it runs. Resolves when both have ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    // It takes the end of its channel for the order to stop.
    this.#channel?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIME)
    await gone
    clearTimeout(timer)
  }

  #send(message: ToExecutor): void {
    this.#channel?.send(message)
  }

  #start(): void {
    const { spawn, log } = this.#parts
    if (spawn === 'never') return
    const startedAt = performance.now()
    const { child, channel, errors } = spawn()
    this.#child = child
    logReceiverErrors(errors, log, () => child.kill('SIGKILL'), 'executor says')
    this.#channel = openChannel(channel, {
      onValues: (values) => {
        for (const value of values) this.#onValue(value, child)
      },
      onBroken: () => child.kill('SIGKILL'),
      onEnd: () => {},
    })
    let isLost = false
    const onLost = (why: string): void => {
      if (isLost) return
      isLost = true
      this.#channel = undefined
      this.#child = undefined
      for (const [number, job] of [...this.#jobs])
        this.#end(number, job, { end: 'lost', why: 'the executor ended' }, false)
      if (this.#stopped) return
      if (performance.now() - startedAt > WELL_AFTER) this.#restarts = 0
      const delay = RESTART_DELAYS[Math.min(this.#restarts++, RESTART_DELAYS.length - 1)] ?? milliseconds(0)
      log.write('error', 'executor lost', { detail: why, againInMs: delay })
      this.#timer = setTimeout(() => this.#start(), delay)
    }
    child.once('error', (error) => onLost(error.message))
    // Its last reports come before the end of its channel, and may come after the news of its end.
    child.once('exit', (status, signal) =>
      setTimeout(() => onLost(signal === null ? `exit status ${status}` : `killed by ${signal}`), LAST_REPORTS_TIME),
    )
  }

  #onValue(value: unknown, child: ChildProcess): void {
    const message = parseFromExecutor(value)
    if (!message.ok) {
      this.#parts.log.write('error', 'executor lost', { detail: message.failure.detail })
      child.kill('SIGKILL')
      return
    }
    switch (message.value.type) {
      case 'ready':
        if (message.value.withoutSudo !== undefined && this.#usesSudo)
          this.#parts.log.write('warning', 'notice', { text: WITHOUT_SUDO })
        return
      case 'configured':
        if (message.value.problem !== undefined)
          this.#parts.log.write('error', 'notice', {
            text: `the executor keeps the commands of before: ${message.value.problem}`,
          })
        return
      case 'failed':
        this.#parts.log.write('error', 'executor lost', { detail: printable(message.value.detail) })
        return
      case 'ended': {
        const job = this.#jobs.get(message.value.job)
        if (job !== undefined)
          this.#end(message.value.job, job, endFields(message.value.report), isGood(message.value.report))
        return
      }
      default:
        message.value satisfies never
    }
  }

  #end(number: JobNumber, { stanza, fields }: Job, end: Fields, good: boolean): void {
    this.#jobs.delete(number)
    const left = (this.#ofStanza.get(stanza) ?? 1) - 1
    if (left > 0) this.#ofStanza.set(stanza, left)
    else this.#ofStanza.delete(stanza)
    this.#ended++
    if (!good) this.#failed++
    const all = { job: number, ...fields, ...end }
    this.#parts.log.write(good ? 'info' : 'warning', 'command', all)
    this.#last.push({ time: new Date().toISOString(), ...all })
    if (this.#last.length > REMEMBERED) this.#last = this.#last.slice(-REMEMBERED)
  }
}

/** Whether any stanza has something run. */
export function runsCommands({ policy }: Pick<LoadedConfig, 'policy'>): boolean {
  return policy.stanzas.some(({ commands }) => commands !== undefined)
}

const WITHOUT_SUDO =
  'ENABLE_CMD_SUDO_EXEC: sudo cannot work, because the service may get no new privileges. Print a unit that allows it: ghostport unit'

function isGood({ how, status }: EndReport): boolean {
  return how === 'exit' && status === 0
}

function endFields({ how, status, signal, why, took, output, outputBytes }: EndReport): Fields {
  return {
    end: how,
    ...(status !== undefined && { status }),
    ...(signal !== undefined && { signal }),
    ...(why !== undefined && { why: printable(why) }),
    tookMs: took,
    ...(outputBytes > 0 && { output: printable(output.trimEnd()).slice(0, OUTPUT_SHOWN), outputBytes }),
  }
}
