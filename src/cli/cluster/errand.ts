/**
 * Sends a process to etcd: this one may be root, and reads no byte of a network. The process has no privilege, and what
 * it reports is read strictly.
 */
import { spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { openChannel } from '../../daemon/link/channel.ts'
import {
  ERRAND_CHANNEL,
  type Errand,
  type ErrandResult,
  LONGEST_ERRAND,
  parseErrandResult,
} from '../../daemon/link/errand-protocol.ts'
import { errandAccount } from '../../daemon/warden/receiver-process/receiver-user.ts'
import { inheritedOptions } from '../../daemon/warden/receiver-process/spawn.ts'
import type { Survey } from '../../etcd/survey-report.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { keepToOurselves } from '../../system/keep-to-ourselves.ts'
import { currentSituation, receiverCommand } from '../../system/privilege.ts'
import { milliseconds } from '../../units.ts'

/** This is a source file, or a part of dist/cli/cluster.js. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../daemon/cluster/errand.ts' : '../daemon/errand.js', import.meta.url),
)
const TIME = milliseconds(60_000)

type Prepared = Extract<ErrandResult, { type: 'prepared' }>

export async function survey(errand: Omit<Extract<Errand, { type: 'survey' }>, 'type'>): Promise<Result<Survey>> {
  const result = await send({ type: 'survey', ...errand })
  if (!result.ok) return result
  return result.value.type === 'survey' ? ok(result.value.survey) : notWanted(result.value)
}

export async function prepare(errand: Omit<Extract<Errand, { type: 'prepare' }>, 'type'>): Promise<Result<Prepared>> {
  const result = await send({ type: 'prepare', ...errand })
  if (!result.ok) return result
  return result.value.type === 'prepared' ? ok(result.value) : notWanted(result.value)
}

function notWanted(result: ErrandResult): Result<never> {
  return refuse('ETCD_UNUSABLE', result.type === 'failed' ? result.why : 'a report about something else')
}

function send(errand: Errand): Promise<Result<ErrandResult, Failure<'ETCD_UNUSABLE'>>> {
  keepToOurselves()
  const program = [process.execPath, ...inheritedOptions(), PROGRAM] as const
  const { file, args, options } = receiverCommand(program, errandAccount(), currentSituation())
  const child = spawn(file, [...args], { ...options, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  return new Promise((resolve) => {
    const end = (result: Result<ErrandResult, Failure<'ETCD_UNUSABLE'>>): void => {
      clearTimeout(timer)
      resolve(result)
      child.kill('SIGKILL')
    }
    const fail = (why: string): void => end(refuse('ETCD_UNUSABLE', `the process that asks etcd: ${why}`))
    const timer = setTimeout(() => fail(`no report within ${TIME / 1000} s`), TIME)
    child.once('error', (error) => fail(error.message))
    child.once('exit', (status, signal) => fail(`it ended with ${signal ?? status}`))
    const channel = openChannel(
      child.stdio[ERRAND_CHANNEL] as unknown as Duplex,
      {
        onValues: ([value]) => {
          const result = parseErrandResult(value)
          if (result === undefined) fail('a report that cannot be understood')
          else end(ok(result))
        },
        onBroken: fail,
        onEnd: () => {},
      },
      LONGEST_ERRAND,
    )
    channel.send(errand)
  })
}
