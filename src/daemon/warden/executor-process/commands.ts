/**
 * The warden’s side of commands: an executor that is started where the configuration has commands, and again when it
 * dies; the jobs that it has; and what became of them, for the log and for status.
 */
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { CommandRule } from '../../../access/command.ts'
import type { CycleRule } from '../../../access/cycle.ts'
import { cyclePorts } from '../../../access/cycle-ports.ts'
import { describeOpening } from '../../../access/grant.ts'
import { ruleKey } from '../../../access/rule-key.ts'
import type { StanzaId } from '../../../access/stanza.ts'
import type { CommandAction, CycleAction } from '../../../access/verdict.ts'
import { printable } from '../../../bytes/text.ts'
import { monotonic } from '../../../clock.ts'
import type { CommandFailure, CommandRunner } from '../../../commands/commands.ts'
import { mayTake } from '../../../commands/share.ts'
import type { LoadedConfig } from '../../../config/load.ts'
import { ledgerPath } from '../../../config/server/server-config.ts'
import type { Log, LogField } from '../../../log.ts'
import { ok, type Refused, type Result, refuse } from '../../../result.ts'
import { systemPath } from '../../../system/system-path.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'
import { type Channel, openChannel } from '../../link/channel.ts'
import {
  type CloseCounts,
  type CloseOrder,
  type EndReport,
  FIXED_USER,
  type JobNumber,
  type NewsReport,
  parseFromExecutor,
  type ToExecutor,
} from '../../link/executor-protocol.ts'
import type { HookEvent } from '../../link/hook-event.ts'
import { logReceiverErrors } from '../receiver-process/standard-error.ts'
import { HookCounts, type ProgramCounts, type WebhookCounts } from './hook-counts.ts'
import type { SpawnedExecutor } from './spawn.ts'

/** Jobs that have not ended: in all, and of one stanza. */
const MOST_JOBS = 512
const MOST_JOBS_OF_STANZA = 64
/** Bytes that may wait for the executor. A hook has some hundreds. */
const LARGEST_BACKLOG = 4 * 1024 * 1024
/** How many ends `status` shows. */
const REMEMBERED = 20
/** How long to wait before the n-th new start in a row; the last value repeats. */
const RESTART_DELAYS: readonly Milliseconds[] = [100, 1000, 5000, 30_000].map(milliseconds)
/** An executor that lived this long was healthy. */
const WELL_AFTER = milliseconds(60_000)
/** How long its programs may take to end when the server stops; systemd waits for 5 s. */
const STOP_TIME = milliseconds(3500)
/** The executor answers after 10 s at the latest. */
const CLOSE_NOW_TIME = milliseconds(12_000)
/** How long after its end the last reports of an executor may take to arrive. */
const LAST_REPORTS_TIME = milliseconds(50)
/** Characters of a program’s output in the log. */
const OUTPUT_SHOWN = 2000

type Fields = { readonly [name: string]: LogField }

/** What a job is for. */
interface Job {
  readonly stanza: StanzaId
  readonly kind: 'command' | 'cycle'
  readonly fields: Fields
}

/** A port that programs opened, and that a close command closes. */
export interface OpenCycle {
  readonly for: string
  readonly open: string
  readonly secondsLeft: number
  /** The stanza’s name, or its number when it opened. */
  readonly stanza: string
  readonly user: string
}

/** For `ghostport status`. */
export interface CommandStatus {
  /** Jobs that have not ended. */
  readonly running: number
  readonly ended: number
  /** Of the ended ones: those that did not exit with status 0. */
  readonly failed: number
  /** What is open, and closes by a command. */
  readonly cycles: readonly OpenCycle[]
  readonly hooks: ProgramCounts
  /** Absent until something was sent. */
  readonly webhook?: WebhookCounts
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
  #lastOrder = 0
  readonly #closings = new Map<number, (counts: Result<CloseCounts, CommandFailure>) => void>()
  #child: ChildProcess | undefined
  #channel: Channel | undefined
  /** Whether the configuration has anything run, and whether a close may be owed. */
  #wanted = false
  #isIdle = false
  #wasNeeded = false
  readonly #open = new Map<string, { readonly about: NewsReport['about']; readonly until: number }>()
  #stopped = false
  #restarts = 0
  #timer: NodeJS.Timeout | undefined
  #usesSudo = false
  #usesOtherUsers = false
  readonly #hooks: HookCounts
  #ended = 0
  #failed = 0
  #last: Fields[] = []

  constructor(parts: CommandsParts) {
    this.#parts = parts
    this.#hooks = new HookCounts(parts.log)
  }

  /**
   * Starts the executor if this configuration needs one, or if an earlier one may owe a close; else has a running one
   * read the files again.
   */
  configured({ policy, server }: Pick<LoadedConfig, 'policy' | 'server'>): void {
    this.#usesSudo = policy.stanzas.some(({ commands }) => commands?.sudo !== undefined)
    const hooks = Object.keys(server.hooks?.programs ?? {}).length > 0 ? server.hooks : undefined
    this.#usesOtherUsers = [hooks, ...policy.stanzas.flatMap(({ commands, cycle }) => [commands, cycle])].some(
      (rule) => rule?.runAs.user !== undefined && rule.runAs.user !== 'root',
    )
    this.#wanted = server.hooks !== undefined || stanzasRunCommands({ policy })
    if (this.#child !== undefined) this.#send({ type: 'configure' })
    else if (this.#timer === undefined && (this.#wanted || existsSync(systemPath(ledgerPath(server))))) this.#start()
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
    const full = this.#whyFull(stanza, 1)
    if (full !== undefined) return full
    const key = ruleKey(rule)
    return ok(
      this.#submit({ stanza, kind: 'command', fields }, (job) => ({ type: 'command', job, rule: key, command, facts })),
    )
  }

  runCycle(
    { grant, facts }: CycleAction,
    stanza: StanzaId,
    rule: CycleRule,
  ): Result<readonly JobNumber[], CommandFailure> {
    const full = this.#whyFull(stanza, grant.openings.length)
    if (full !== undefined) return full
    const key = ruleKey(rule)
    const ports = cyclePorts(grant.openings, grant.source)
    return ok(
      ports.map((port, i) => {
        const opening = grant.openings[i]
        const fields = {
          stanza,
          ...(facts.stanza !== `${stanza}` && { name: facts.stanza }),
          ...{ open: opening && describeOpening(opening), for: facts.source, user: facts.username },
          lifetime: grant.lifetime,
        }
        const all = { ...facts, port, seconds: grant.lifetime }
        return this.#submit({ stanza, kind: 'cycle', fields }, (job) => ({ type: 'cycle', job, rule: key, facts: all }))
      }),
    )
  }

  /**
   * Has the closes of these cycles run now. Jobs that were given before count; those that are given later do not.
   * @returns COMMANDS_UNAVAILABLE where an executor that may owe closes does not answer. What it owes, the next one
   * closes at its time.
   */
  closeNow(which: Pick<CloseOrder, 'stanzas' | 'source'>): Promise<Result<CloseCounts, CommandFailure>> {
    if (this.#channel === undefined) {
      const owesNothing = !this.#wasNeeded || this.#isIdle || this.#stopped
      return Promise.resolve(owesNothing ? ok(NO_CLOSES) : EXECUTOR_GONE)
    }
    const order = ++this.#lastOrder
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(EXECUTOR_SILENT), CLOSE_NOW_TIME)
      const done = (counts: Result<CloseCounts, CommandFailure>): void => {
        clearTimeout(timer)
        this.#closings.delete(order)
        resolve(counts)
      }
      this.#closings.set(order, done)
      this.#send({ type: 'close now', order, ...which })
    })
  }

  /** Whose cycles owe a close. */
  owing(): readonly NewsReport['about'][] {
    return [...this.#open.values()].map(({ about }) => about)
  }

  /** Tells the hooks. Nothing waits for it. */
  hook(event: HookEvent): void {
    if (this.#parts.spawn === 'never' || this.#stopped) return
    if (this.#channel === undefined) this.#hooks.undelivered('events are dropped: the executor is not running')
    else if (this.#channel.backlog >= LARGEST_BACKLOG) this.#hooks.undelivered('events are dropped: too many wait')
    else this.#send({ type: 'hook', event })
  }

  #whyFull(stanza: StanzaId, more: number): Refused<CommandFailure> | undefined {
    if (this.#parts.spawn === 'never') return undefined
    const waiting = this.#ofStanza.get(stanza) ?? 0
    if (this.#channel === undefined) return refuse('COMMANDS_UNAVAILABLE', 'the executor is not running: see the log')
    if (waiting + more > MOST_JOBS_OF_STANZA)
      return refuse(
        'COMMANDS_BUSY',
        `${waiting} commands of this stanza have not ended, and ${MOST_JOBS_OF_STANZA} is the limit`,
      )
    const all = this.#jobs.size
    if (!mayTake({ held: waiting, more, free: MOST_JOBS - all }))
      return refuse(
        'COMMANDS_BUSY',
        `${all} commands have not ended, ${waiting} of them of this stanza: the other places are for other stanzas`,
      )
    return undefined
  }

  #submit(job: Job, message: (number: JobNumber) => ToExecutor): JobNumber {
    const { stanza, kind, fields } = job
    const number = ++this.#lastJob
    if (this.#parts.spawn === 'never') {
      this.#parts.log.write('info', kind, { job: number, ...fields, end: 'not run' })
      return number
    }
    this.#jobs.set(number, job)
    this.#ofStanza.set(stanza, (this.#ofStanza.get(stanza) ?? 0) + 1)
    this.#send(message(number))
    return number
  }

  /** @returns undefined for a server that runs no commands. */
  status(): CommandStatus | undefined {
    if (!this.#wasNeeded) return undefined
    const now = monotonic()
    const cycles = [...this.#open.values()].map(({ about: { source, open, stanza, user }, until }) => ({
      ...{ for: source, open, stanza, user },
      secondsLeft: Math.max(0, Math.ceil((until - now) / 1000)),
    }))
    const { programs, webhook } = this.#hooks
    return {
      ...{ running: this.#jobs.size, ended: this.#ended, failed: this.#failed, cycles, hooks: programs },
      ...(webhook !== undefined && { webhook }),
      last: this.#last.toReversed(),
    }
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
    this.#timer = undefined
    this.#isIdle = false
    this.#wasNeeded = true
    this.#open.clear()
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
      this.#hooks.executorEnded()
      for (const [number, job] of [...this.#jobs])
        this.#end(number, job, { end: 'lost', why: 'the executor ended' }, false)
      for (const done of this.#closings.values()) done(EXECUTOR_GONE)
      if (this.#stopped) return
      if (this.#isIdle) {
        // The configuration may have changed meanwhile.
        if (this.#wanted) this.#start()
        return
      }
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
        if (message.value.withoutUsers !== undefined && this.#usesOtherUsers)
          this.#parts.log.write('warning', 'notice', { text: WITHOUT_USERS })
        return
      case 'configured':
        if (message.value.problem !== undefined)
          this.#parts.log.write('error', 'notice', {
            text: `the executor keeps the commands of before: ${message.value.problem}`,
          })
        return
      case 'idle':
        this.#isIdle = true
        return
      case 'cycle':
        this.#onNews(message.value.news)
        return
      case 'closed now':
        this.#closings.get(message.value.order)?.(ok(message.value.counts))
        return
      case 'hook':
        this.#hookEnded(message.value.event, message.value.report)
        return
      case 'hooks dropped':
        this.#hooks.programsDropped(message.value.dropped)
        return
      case 'webhook':
        this.#hooks.webhookCounted(message.value.counts)
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

  /** Only what failed is worth a line: each event has one already. */
  #hookEnded(event: string, report: EndReport): void {
    const good = isGood(report)
    this.#hooks.programEnded(good)
    if (!good) this.#parts.log.write('warning', 'hook', { hook: printable(event), ...endFields(report) })
  }

  #onNews({ what, key, about, left, report, early }: NewsReport): void {
    if (what === 'open') {
      this.#open.set(key, { about, until: monotonic() + (left ?? 0) })
      return
    }
    this.#open.delete(key)
    const { stanza, source, open, user } = about
    const good = what === 'closed'
    if (!good) this.#failed++
    this.#ended++
    this.#record('cycle', good, {
      ...{
        cycle: what,
        stanza: printable(stanza),
        open: printable(open),
        for: printable(source),
        user: printable(user),
      },
      ...(early !== undefined && { because: BECAUSE[early] }),
      ...(report !== undefined && endFields(report)),
    })
  }

  #end(number: JobNumber, { stanza, kind, fields }: Job, end: Fields, good: boolean): void {
    this.#jobs.delete(number)
    const left = (this.#ofStanza.get(stanza) ?? 1) - 1
    if (left > 0) this.#ofStanza.set(stanza, left)
    else this.#ofStanza.delete(stanza)
    this.#ended++
    if (!good) this.#failed++
    const opened = end['end'] === 'refreshed' ? 'refreshed' : good ? 'opened' : 'not opened'
    this.#record(kind, good, { job: number, ...(kind === 'cycle' && { cycle: opened }), ...fields, ...end })
  }

  #record(event: 'command' | 'cycle', good: boolean, all: Fields): void {
    this.#parts.log.write(good ? 'info' : 'warning', event, all)
    this.#last.push({ time: new Date().toISOString(), ...all })
    if (this.#last.length > REMEMBERED) this.#last = this.#last.slice(-REMEMBERED)
  }
}

const BECAUSE = {
  yes: 'the open command failed, or was interrupted',
  revoked: 'revoked by the administrator',
} as const satisfies Record<NonNullable<NewsReport['early']>, string>

const NO_CLOSES: CloseCounts = { good: 0, failed: 0, unfinished: 0 }
const EXECUTOR_GONE = refuse(
  'COMMANDS_UNAVAILABLE',
  'the executor is not running: closes of command cycles did not run',
)
const EXECUTOR_SILENT = refuse('COMMANDS_UNAVAILABLE', 'the executor does not answer: see the log')

/** Whether any stanza has something run. */
export function stanzasRunCommands({ policy }: Pick<LoadedConfig, 'policy'>): boolean {
  return policy.stanzas.some(({ commands, cycle }) => commands !== undefined || cycle !== undefined)
}

const WITHOUT_SUDO =
  'ENABLE_CMD_SUDO_EXEC: sudo cannot work, because the service may get no new privileges. Print a unit that allows it: ghostport unit'
const WITHOUT_USERS = `CMD_EXEC_USER, HOOK_USER: programs cannot run as another user, because ${FIXED_USER}`

function isGood({ how, status }: EndReport): boolean {
  return how === 'refreshed' || (how === 'exit' && status === 0)
}

function endFields({ how, status, signal, why, took, output, outputBytes, ran, close }: EndReport): Fields {
  return {
    ...(ran !== undefined && { ran: printable(ran) }),
    ...(close !== undefined && { close: printable(close) }),
    end: how,
    ...(status !== undefined && { status }),
    ...(signal !== undefined && { signal }),
    ...(why !== undefined && { why: printable(why) }),
    tookMs: took,
    ...(outputBytes > 0 && { output: printable(output.trimEnd()).slice(0, OUTPUT_SHOWN), outputBytes }),
  }
}
