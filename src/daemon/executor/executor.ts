/** What the executor does with the warden’s messages: it runs what the configuration allows, and reports each end. */
import { primitives } from '#primitives'
import { judgeCommand, throughSudo } from '../../access/command.ts'
import { type CycleFacts, type CycleRule, fillTemplate, personalValues, valuesOf } from '../../access/cycle.ts'
import type { RuleKey } from '../../access/rule-key.ts'
import { encodeBase64 } from '../../bytes/base64.ts'
import { encodeText } from '../../bytes/text.ts'
import type { Clock } from '../../clock.ts'
import { findLogin, readAccountFiles } from '../../commands/accounts.ts'
import { type CycleOrder, Cycles, type CycleTask, type Opened } from '../../commands/cycles.ts'
import { cycleVariables, type Environment, factVariables } from '../../commands/environment.ts'
import { Lanes } from '../../commands/lanes.ts'
import { type CycleAbout, Ledger } from '../../commands/ledger.ts'
import { type Ended, isOurs, type Running, runProgram } from '../../commands/run-program.ts'
import { formatHostPort } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { milliseconds, unixSeconds } from '../../units.ts'
import {
  type CloseOrder,
  type CommandJob,
  type CycleJob,
  type EndReport,
  FIXED_USER,
  type FromExecutor,
  type JobNumber,
  type ToExecutor,
} from '../link/executor-protocol.ts'
import { Hooks } from './hooks.ts'
import type { Rules } from './rules.ts'
import { SenderProcess } from './sender-process.ts'

/** Commands of clients at once, in all and of one stanza. */
const COMMANDS = { running: 16, runningOfShare: 4 }
/** Open commands of cycles, and close commands. */
const OPENS = { running: 16, runningOfShare: 8 }
/** Characters of a command line in a report. */
const LONGEST_SHOWN = 2000
const CLOSES = { running: 16, runningOfShare: 8 }

/** How long an administrator waits for the closes that run at once. */
const CLOSE_NOW_TIME = milliseconds(10_000)

/** What an executor needs. */
export interface ExecutorParts {
  /** Reads the files. */
  readonly readRules: () => Result<Rules>
  readonly send: (message: FromExecutor) => void
  /** Path of setpriv(1), if installed. */
  readonly setpriv: string | undefined
  /** Whether it may become another user. */
  readonly mayChangeUser: boolean
  /** The socket by which systemd starts the sender of webhooks; undefined if this process starts it. */
  readonly helpers?: string | undefined
  readonly clock: Clock
  /** Milliseconds since this boot, suspensions included. */
  readonly sinceBoot: () => number
  /** The kernel’s name for this boot. */
  readonly boot: string
  /** There is nothing to do, and there will be nothing. */
  readonly onIdle: () => void
  /** Whether there is a file. */
  readonly exists: (path: string) => boolean
}

export class Executor {
  readonly #parts: ExecutorParts
  /** The rules in force, and those before them: the warden may still judge by these. */
  #rules: readonly Rules[] = []
  readonly #commands = new Lanes(COMMANDS)
  readonly #running = new Set<Running>()
  readonly #hooks: Hooks
  #sender: SenderProcess | undefined
  #cycles: Cycles | undefined
  #ledger: Ledger | undefined
  #stopped = false

  constructor(parts: ExecutorParts) {
    this.#parts = parts
    this.#hooks = new Hooks({
      run: (task) => this.#run(task),
      deliver: (order) => this.#sender?.deliver(order),
      trust: (trust) => this.#sender?.trust(trust),
      onEnded: (event, ended) => parts.send({ type: 'hook', event, report: ended }),
      onDropped: (dropped) => parts.send({ type: 'hooks dropped', dropped }),
      clock: parts.clock,
    })
  }

  /** Reads the files. If they are faulty, the rules of before stay. */
  configure(): void {
    const { readRules, send } = this.#parts
    const read = readRules()
    if (read.ok) this.#rules = [read.value, ...this.#rules.slice(0, 1)]
    const problem = read.ok ? (this.#openLedger(read.value) ?? this.#configureHooks(read.value)) : read.failure.detail
    send({ type: 'configured', ...(problem !== undefined && { problem: problem.slice(0, 500) }) })
    this.#endIfIdle()
  }

  take(message: ToExecutor): void {
    switch (message.type) {
      case 'configure':
        this.configure()
        return
      case 'command':
        this.#command(message)
        return
      case 'cycle':
        this.#cycle(message)
        return
      case 'close now':
        this.#closeNow(message)
        return
      case 'hook':
        this.#hooks.tell(message.event)
        return
      default:
        message satisfies never
    }
  }

  /** Ends what runs. Resolves when it has ended. What is owed stays in the ledger. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#commands.clear()
    this.#cycles?.stop()
    this.#hooks.stop()
    this.#sender?.stop()
    const running = [...this.#running]
    for (const program of running) program.stop()
    await Promise.all(running.map(({ ended }) => ended))
    this.#ledger?.close()
    this.#ledger = undefined
  }

  /** @returns why the webhook cannot be used. */
  #configureHooks({ hooks, settings }: Rules): string | undefined {
    if (hooks?.webhook !== undefined && this.#sender === undefined) {
      this.#sender = new SenderProcess((counts) => this.#parts.send({ type: 'webhook', counts }), this.#parts.helpers)
      this.#sender.start()
    }
    return this.#hooks.configure(hooks, settings.timeout)
  }

  /** Opens the ledger where there are cycles, or were. @returns why it cannot be used. */
  #openLedger({ cycles, ledger: path }: Rules): string | undefined {
    const { exists, sinceBoot, boot, send } = this.#parts
    if (this.#ledger !== undefined || (cycles.size === 0 && !exists(path))) return undefined
    const ledger = Ledger.open(path)
    if (!ledger.ok) return ledger.failure.detail
    const read = ledger.value.read()
    if (!read.ok) return read.failure.detail
    this.#ledger = ledger.value
    this.#cycles = new Cycles({
      ledger: ledger.value,
      run: (task) => this.#run(task),
      opens: new Lanes(OPENS),
      closes: new Lanes(CLOSES),
      now: sinceBoot,
      boot,
      onNews: ({ left, ended, close, ...news }) => {
        const report = ended === undefined ? undefined : { ...ended, ran: shown(close) }
        send({
          type: 'cycle',
          news: {
            ...news,
            ...(left !== undefined && { left: milliseconds(Math.round(left)) }),
            ...(report && { report }),
          },
        })
        if (news.what !== 'open') setImmediate(() => this.#endIfIdle())
      },
    })
    this.#cycles.restore(read.value.owed)
    const { unreadable } = read.value
    return unreadable === 0 ? undefined : `${path}: ${unreadable} closes that are owed cannot be read, and do not run`
  }

  /** Where nothing is configured and nothing is owed, there is no reason for this process. */
  #endIfIdle(): void {
    const [rules] = this.#rules
    if (this.#stopped || rules === undefined || rules.commands.size > 0 || rules.cycles.size > 0 || rules.hooks) return
    if ((this.#cycles?.owed ?? 0) > 0 || this.#running.size > 0) return
    this.#stopped = true
    this.#ledger?.removeFile()
    this.#ledger = undefined
    this.#parts.send({ type: 'idle' })
    this.#parts.onIdle()
  }

  #command({ job, rule, command, facts }: CommandJob): void {
    // Not the rule’s: many stanzas may have the same one.
    this.#commands.add(facts.stanza, async () => {
      const task = this.#commandTask(rule, command, factVariables(facts))
      this.#report(job, task.ok ? await this.#run(task.value) : notStarted(task.failure.detail))
    })
  }

  /** The rule is asked again: the warden’s word does not count for what a command may be. */
  #commandTask(
    key: RuleKey,
    command: string,
    facts: Environment,
  ): Result<CycleTask, Failure<'ACCESS_COMMAND_DENIED' | 'COMMANDS_UNAVAILABLE'>> {
    const rules = this.#rules.find(({ commands }) => commands.has(key))
    const rule = rules?.commands.get(key)
    if (rules === undefined || rule === undefined) return UNKNOWN_RULE
    const words = judgeCommand(rule, command)
    if (!words.ok) return words
    const { sudo, timeout } = rules.settings
    return ok({
      words: rule.sudo === undefined ? words.value : throughSudo(words.value, rule.sudo, sudo),
      runAs: rule.runAs,
      facts,
      timeout,
    })
  }

  async #cycle({ job, rule, facts }: CycleJob): Promise<void> {
    const order = this.#cycleOrder(rule, facts)
    if (!order.ok) this.#report(job, notStarted(order.failure.detail))
    else if (this.#cycles === undefined)
      this.#report(job, notStarted('the closes that are owed cannot be recorded: see the log'))
    else this.#report(job, openReport(order.value, await this.#cycles.open(order.value)))
  }

  async #closeNow({ order, stanzas, source }: CloseOrder): Promise<void> {
    const names = new Set(stanzas.map((name) => name.toLowerCase()))
    const closing = this.#cycles?.closeNow(
      (about) => names.has(about.stanza.toLowerCase()) || (source !== undefined && about.source === source),
    )
    const enough = new Promise((resolve) => setTimeout(resolve, CLOSE_NOW_TIME).unref())
    if (closing !== undefined) await Promise.race([closing.ended, enough])
    const { all, good, failed } = closing?.progress ?? { all: 0, good: 0, failed: 0 }
    this.#parts.send({ type: 'closed now', order, counts: { good, failed, unfinished: all - good - failed } })
  }

  #cycleOrder(
    key: RuleKey,
    facts: CycleFacts,
  ): Result<CycleOrder, Failure<'ACCESS_REQUEST_INVALID' | 'COMMANDS_UNAVAILABLE'>> {
    const rules = this.#rules.find(({ cycles }) => cycles.has(key))
    const rule = rules?.cycles.get(key)
    if (rules === undefined || rule === undefined) return UNKNOWN_RULE
    const until = unixSeconds(this.#parts.clock.now() + facts.seconds)
    const values = valuesOf(facts, until)
    const variables = cycleVariables(facts, until)
    const { timeout } = rules.settings
    const open = fillTemplate(rule.open, values)
    if (!open.ok) return open
    const close = rule.close === undefined ? undefined : fillTemplate(rule.close, values)
    if (close?.ok === false) return close
    const task = { runAs: rule.runAs, facts: variables, timeout }
    return ok({
      key: cycleKey(rule, facts),
      about: aboutOf(facts),
      open: { ...task, words: open.value },
      ...(close !== undefined && { close: { ...task, words: close.value } }),
      seconds: facts.seconds,
      share: facts.stanza,
    })
  }

  async #run({ words, runAs, facts, timeout, input }: CycleTask & { readonly input?: string }): Promise<Ended> {
    if (this.#stopped) return notStarted('the server is stopping')
    const files = readAccountFiles()
    const login = files.ok ? findLogin(runAs, files.value) : files
    if (!login.ok) return notStarted(login.failure.detail)
    if (login.value !== undefined && !isOurs(login.value) && !this.#parts.mayChangeUser)
      return notStarted(`it must run as ${login.value.name}, and ${FIXED_USER}`)
    const program = runProgram({
      words,
      login: login.value,
      facts,
      timeout,
      setpriv: this.#parts.setpriv,
      ...(input !== undefined && { input }),
    })
    this.#running.add(program)
    const ended = await program.ended
    this.#running.delete(program)
    return ended
  }

  #report(job: JobNumber, report: EndReport): void {
    this.#parts.send({ type: 'ended', job, report })
  }
}

const UNKNOWN_RULE = refuse(
  'COMMANDS_UNAVAILABLE',
  'the settings of this stanza changed while they were read: reload the server',
)

/**
 * The same commands for the same client and port are the same cycle, also after a reload. Where a command has a user
 * name in it, another user is another cycle.
 */
function cycleKey(rule: CycleRule, facts: CycleFacts): string {
  const { open, close } = rule
  const { source, port } = facts
  const { protocol, nat } = port
  const where = [source, protocol, port.port, nat?.host ?? null, nat?.port ?? null]
  const parts = JSON.stringify([open, close ?? null, ...where, ...personalValues(rule, facts)])
  return encodeBase64(primitives.digest('sha256', encodeText(parts)))
}

function aboutOf({ stanza, source, username, port: { protocol, port, nat } }: CycleFacts): CycleAbout {
  const target = nat === undefined ? '' : `→${formatHostPort(nat.host, nat.port)}`
  return { stanza, source, open: `${protocol}/${port}${target}`, user: username }
}

function openReport({ open, close }: CycleOrder, opened: Opened): EndReport {
  if ('ended' in opened)
    return {
      ...opened.ended,
      ran: shown(open),
      ...(opened.what === 'opened' && close !== undefined && { close: shown(close) }),
    }
  if (opened.what === 'not opened') return notStarted(opened.why)
  return { how: 'refreshed', took: milliseconds(0), output: '', outputBytes: 0 }
}

function shown({ words }: Pick<CycleTask, 'words'>): string {
  return words.join(' ').slice(0, LONGEST_SHOWN)
}

function notStarted(why: string): Ended {
  return { how: 'not started', why: why.slice(0, 500), took: milliseconds(0), output: '', outputBytes: 0 }
}
