/** What the executor does with the warden’s messages: it runs what the configuration allows, and reports each end. */
import { judgeCommand, type RunAs, throughSudo, type Words } from '../../access/command.ts'
import type { RuleKey } from '../../access/rule-key.ts'
import { findLogin, readAccountFiles } from '../../commands/accounts.ts'
import { type Environment, factVariables } from '../../commands/environment.ts'
import { Lanes } from '../../commands/lanes.ts'
import { type Ended, type Running, runProgram } from '../../commands/run-program.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { milliseconds, type Seconds } from '../../units.ts'
import type { CommandJob, EndReport, FromExecutor, JobNumber, ToExecutor } from '../link/executor-protocol.ts'
import type { Rules } from './rules.ts'

/** Commands of clients at once, in all and of one stanza. */
const COMMANDS = { running: 16, runningOfShare: 4 }

/** What an executor needs. */
export interface ExecutorParts {
  /** Reads the files. */
  readonly readRules: () => Result<Rules>
  readonly send: (message: FromExecutor) => void
  /** Path of setpriv(1), if installed. */
  readonly setpriv: string | undefined
}

/** A program to run: what, as whom, and with which values. */
interface Task {
  readonly words: Words
  readonly runAs: RunAs
  readonly facts: Environment
  readonly timeout: Seconds
}

export class Executor {
  readonly #parts: ExecutorParts
  /** The rules in force, and those before them: the warden may still judge by these. */
  #rules: readonly Rules[] = []
  readonly #commands = new Lanes(COMMANDS)
  readonly #running = new Set<Running>()
  #stopped = false

  constructor(parts: ExecutorParts) {
    this.#parts = parts
  }

  /** Reads the files. If they are faulty, the rules of before stay. */
  configure(): void {
    const read = this.#parts.readRules()
    if (read.ok) this.#rules = [read.value, ...this.#rules.slice(0, 1)]
    const problem = read.ok ? undefined : read.failure.detail.slice(0, 500)
    this.#parts.send({ type: 'configured', ...(problem !== undefined && { problem }) })
  }

  take(message: ToExecutor): void {
    switch (message.type) {
      case 'configure':
        this.configure()
        return
      case 'command':
        this.#command(message)
        return
      default:
        message satisfies never
    }
  }

  /** Ends what runs. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#commands.clear()
    const running = [...this.#running]
    for (const program of running) program.stop()
    await Promise.all(running.map(({ ended }) => ended))
  }

  #command({ job, rule, command, facts }: CommandJob): void {
    this.#commands.add(rule, async () => {
      const task = this.#commandTask(rule, command, factVariables(facts))
      this.#report(job, task.ok ? await this.#run(task.value) : notStarted(task.failure.detail))
    })
  }

  /** The rule is asked again: the warden’s word does not count for what a command may be. */
  #commandTask(
    key: RuleKey,
    command: string,
    facts: Environment,
  ): Result<Task, Failure<'ACCESS_COMMAND_DENIED' | 'COMMANDS_UNAVAILABLE'>> {
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

  async #run({ words, runAs, facts, timeout }: Task): Promise<EndReport> {
    if (this.#stopped) return notStarted('the server is stopping')
    const files = readAccountFiles()
    const login = files.ok ? findLogin(runAs, files.value) : files
    if (!login.ok) return notStarted(login.failure.detail)
    const program = runProgram({ words, login: login.value, facts, timeout, setpriv: this.#parts.setpriv })
    this.#running.add(program)
    const ended = await program.ended
    this.#running.delete(program)
    return reportOf(ended)
  }

  #report(job: JobNumber, report: EndReport): void {
    this.#parts.send({ type: 'ended', job, report })
  }
}

const UNKNOWN_RULE = refuse(
  'COMMANDS_UNAVAILABLE',
  'the settings of this stanza changed while they were read: reload the server',
)

function reportOf({ how, status, signal, why, took, output, outputBytes }: Ended): EndReport {
  return {
    ...{ how, took, output, outputBytes },
    ...(status !== undefined && { status }),
    ...(signal !== undefined && { signal }),
    ...(why !== undefined && { why }),
  }
}

function notStarted(why: string): EndReport {
  return { how: 'not started', why: why.slice(0, 500), took: milliseconds(0), output: '', outputBytes: 0 }
}
