/** Works through the files of a plan, several at a time. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { errorCode, systemReason } from '../../system/errno.ts'
import type { Folder } from './folder.ts'
import type { GpgStreams } from './gpg-stream.ts'
import type { Journal } from './journal.ts'
import type { Operation } from './names.ts'
import { argumentsOf, type Means, verdictOf } from './operations.ts'
import { below, type Task } from './plan.ts'
import type { Remover } from './remove-source.ts'
import { type Made, replaceFile } from './replace-file.ts'

export interface Work {
  readonly operation: Operation
  readonly top: Folder
  readonly streams: GpgStreams
  readonly means: Means
  /** Absent where no source is removed. */
  readonly journal: Journal | undefined
  readonly keepSources: boolean
  readonly overwrite: boolean
  readonly preserveTimes: boolean
  readonly force: boolean
  readonly remove: Remover
  readonly jobs: number
  /** The self-test has shown that key and passphrase decrypt. */
  readonly isKeyTried: boolean
}

/** What came of one file. */
export interface FileResult {
  /** Below the top folder. */
  readonly path: string
  readonly target: string
  /** Absent: it worked. */
  readonly problem?: string
  /** What gpg said, where it did not work. */
  readonly remarks: readonly string[]
}

export interface Total {
  /** Files that are done. */
  readonly done: number
  readonly failed: number
  /** Of those that failed: the result is there, and so is the source. */
  readonly unremoved: number
  /** Why the rest was left as it was. */
  readonly stopped?: string
}

/**
 * @param begin called before each file; false leaves it out. @param told called after each.
 * @param interrupted why no further file is to be begun.
 */
export async function work(
  tasks: readonly Task[],
  work: Work,
  on: {
    readonly begin: (task: Task) => boolean
    readonly told: (result: FileResult) => void
    readonly interrupted: () => string | undefined
  },
): Promise<Total> {
  let [next, done, failed, unremoved] = [0, 0, 0, 0]
  let stopped: string | undefined
  const worker = async (): Promise<void> => {
    for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) {
      stopped ??= on.interrupted()
      if (stopped !== undefined) return
      if (!on.begin(task)) continue
      const { result, stop, isUnremoved } = await one(task, work)
      if (result.problem === undefined) done++
      else failed++
      if (isUnremoved) unremoved++
      if (stop) stopped ??= result.problem
      on.told(result)
    }
  }
  await Promise.all(Array.from({ length: Math.min(work.jobs, tasks.length) }, worker))
  return { done, failed, unremoved, ...(stopped !== undefined && { stopped }) }
}

interface Outcome {
  readonly result: FileResult
  readonly stop: boolean
  readonly isUnremoved: boolean
}

async function one(task: Task, work: Work): Promise<Outcome> {
  const path = below(task.folder, task.source)
  const outcome = (problem: string | undefined, stop = false, remarks: readonly string[] = []): Outcome => ({
    result: { path, target: below(task.folder, task.target), remarks, ...(problem !== undefined && { problem }) },
    stop,
    isUnremoved: false,
  })
  try {
    using folder = work.top.below(task.folder)
    if (work.operation === 'verify') {
      const { verdict, remarks } = await verify(task, folder, work)
      return verdict.whole ? outcome(undefined) : outcome(verdict.why, verdict.stop, remarks)
    }
    const args = argumentsOf(work.operation, work.means)
    const replaced = await replaceFile(
      folder,
      task,
      work.journal,
      { ...work, keepSource: work.keepSources },
      async (input, output) => {
        const run = await work.streams.run(args, { input, output })
        return { verdict: verdictOf(work.operation, run, work.isKeyTried), remarks: run.remarks }
      },
    )
    switch (replaced.outcome) {
      case 'replaced':
        return outcome(undefined)
      case 'not made':
        return outcome(replaced.failed.why, replaced.failed.stop, replaced.remarks)
      case 'source changed':
        return outcome('it was changed meanwhile, so it is left as it is')
      case 'target exists':
        return outcome('the target exists now')
      case 'source kept':
        return { ...outcome(`it cannot be removed: ${systemReason(replaced.why)}`, !work.force), isUnremoved: true }
      default:
        return replaced satisfies never
    }
  } catch (error) {
    return outcome(systemReason(error), isEverywhere(error))
  }
}

async function verify({ source, target }: Task, folder: Folder, { streams, means }: Work): Promise<Made> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  await using signature = await open(folder.path(source), flags)
  await using signed = await open(folder.path(target), flags)
  const run = await streams.run(argumentsOf('verify', means), { more: [signature.fd, signed.fd] })
  return { verdict: verdictOf('verify', run), remarks: run.remarks }
}

/** Whether the next file would fail for the same reason. */
function isEverywhere(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes(errorCode(error) ?? '')
}
