/** One run over a tree: lock, finish what an earlier run began, plan, work, report. */
import { join, resolve } from 'node:path'
import { ask } from '../../cli/terminal/ask.ts'
import type { Terminal } from '../../cli/terminal/terminal.ts'
import type { GpgProgram } from '../../gpg/program.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { Folder } from './folder.ts'
import { GpgStreams } from './gpg-stream.ts'
import { Interrupts, SIGNALS } from './interrupts.ts'
import { Journal } from './journal.ts'
import { selfTest } from './keys.ts'
import { lockTree } from './lock.ts'
import { DEFAULT_FILE_MAP, FOLDER_MAP, type Operation } from './names.ts'
import { ObfuscatedNames } from './obfuscate.ts'
import { argumentsOf, type Means } from './operations.ts'
import { below, type Plan, planTasks, type Task } from './plan.ts'
import { filtersOf } from './read-filters.ts'
import { recover } from './recover.ts'
import { type Remover, removerOf } from './remove-source.ts'
import { Report } from './report.ts'
import type { Request } from './request.ts'
import { type FoundTree, walkTree } from './walk.ts'
import { type Total, work } from './work.ts'

export interface Tools {
  readonly gpg: GpgProgram
  readonly means: Means
  /** The key, for people. */
  readonly shown: string | undefined
}

/** @returns the exit status; a refusal if nothing was done. @throws the system's error. */
export async function runOnTree(
  request: Request & { readonly operation: Operation },
  argv: readonly string[],
  terminal: Terminal,
  tools: Tools,
): Promise<Result<number>> {
  const path = resolve(request.folder)
  const filters = filtersOf(request)
  if (!filters.ok) return filters
  const remove = removerOf(request)
  if (!remove.ok) return remove
  const opened = openTop(path)
  if (!opened.ok) return opened
  using top = opened.value
  const changes = !request.trial && request.operation !== 'verify'
  const lock = changes ? lockTree(top) : ok(undefined)
  if (!lock.ok) return lock
  using _held = lock.value

  const report = new Report(terminal, request, path)
  report.begins(argv, tools.shown)
  const run = new TreeRun(request, top, tools, remove.value, report)
  const tree = await run.ready(changes)
  if (!tree.ok) return tree
  const { mapFile } = run
  const isMapFile = (name: string): boolean =>
    [mapFile, FOLDER_MAP].some((map) => name === map || name === `${map}.gpg`)
  const plan = planTasks(tree.value.files, { ...request, top: path, filters: filters.value, isMapFile })
  if (!plan.ok) return plan
  report.skips(plan.value.skipped)
  if (!request.trial) return await run.perform(plan.value, tree.value.folders, path)
  run.show(plan.value)
  return ok(0)
}

class TreeRun {
  readonly mapFile: string
  readonly #request: Request & { readonly operation: Operation }
  readonly #top: Folder
  readonly #tools: Tools
  readonly #remove: Remover
  readonly #report: Report
  readonly #streams: GpgStreams
  readonly #names: ObfuscatedNames | undefined

  constructor(
    request: Request & { readonly operation: Operation },
    top: Folder,
    tools: Tools,
    remove: Remover,
    report: Report,
  ) {
    this.#request = request
    this.#top = top
    this.#tools = tools
    this.#remove = remove
    this.#report = report
    this.#streams = new GpgStreams(tools.gpg)
    this.mapFile = request.mapFile ?? DEFAULT_FILE_MAP
    const { means } = tools
    this.#names = request.obfuscate
      ? new ObfuscatedNames({ top, streams: this.#streams, means, mapFile: this.mapFile })
      : undefined
  }

  /** Reads the tree, tries the key, and finishes what an earlier run began. */
  async ready(changes: boolean): Promise<Result<FoundTree>> {
    const { operation, test, recurse } = this.#request
    const tree = walkTree(this.#top, recurse, changes)
    if (!tree.ok || !changes) return tree
    const tested = test && (operation === 'encrypt' || operation === 'decrypt') && tree.value.files.length > 0
    const { gpg, means } = this.#tools
    const tried = tested ? await selfTest(gpg, argumentsOf('encrypt', means)) : ok(undefined)
    if (!tried.ok) return tried
    const { finished, temporary } = await recover(this.#top, tree.value.files, this.#remove)
    this.#report.finished(finished)
    const restored = operation === 'decrypt' ? await this.#names?.restoreFolders() : undefined
    if (restored?.ok === false) return restored
    return finished.length + temporary > 0 || restored !== undefined ? walkTree(this.#top, recurse, changes) : tree
  }

  /** A trial run. */
  show({ tasks }: Plan): void {
    this.#report.plans(tasks.length)
    for (const { folder, source } of tasks) this.#report.begin(below(folder, source))
    this.#report.ends({ done: tasks.length, failed: 0, unremoved: 0 })
  }

  async perform(plan: Plan, folders: readonly string[], path: string): Promise<Result<number>> {
    const { keepSources, operation } = this.#request
    const tasks = await this.#named(plan.tasks, folders)
    if (!tasks.ok) return tasks
    this.#report.plans(tasks.value.length)
    using interrupts = new Interrupts(() => this.#streams.endAll())
    using journal = keepSources ? undefined : new Journal(this.#top)
    const total = await work(
      tasks.value,
      {
        ...this.#request,
        ...{
          operation,
          top: this.#top,
          streams: this.#streams,
          means: this.#tools.means,
          journal,
          remove: this.#remove,
        },
      },
      {
        begin: (task) => this.#begin(task, path),
        told: (result) => this.#report.told(result),
        interrupted: () => interrupts.signal,
      },
    )
    // A source that is still there is for the next run.
    if (total.unremoved === 0) journal?.remove()
    const renamed = await this.#finishNames(folders, total)
    this.#report.ends(total)
    if (!renamed.ok) return renamed
    if (interrupts.signal !== undefined) return ok(SIGNALS[interrupts.signal])
    return ok(total.failed > 0 || total.stopped !== undefined ? 1 : 0)
  }

  #begin({ folder, source }: Task, path: string): boolean {
    const { interactive, operation } = this.#request
    const at = below(folder, source)
    if (interactive && !isAgreed(`${operation} ${join(path, at)}?`)) return false
    this.#report.begin(at)
    return true
  }

  /** @returns the tasks, with obfuscated names where they are asked for. */
  async #named(tasks: readonly Task[], folders: readonly string[]): Promise<Result<readonly Task[]>> {
    if (this.#names === undefined) return ok(tasks)
    if (this.#request.operation === 'encrypt') return await this.#names.assign(tasks)
    const mapped = await this.#names.tasks(folders)
    return mapped.ok ? ok([...tasks, ...mapped.value]) : mapped
  }

  async #finishNames(folders: readonly string[], { stopped }: Total): Promise<Result<void>> {
    if (this.#names === undefined) return ok(undefined)
    if (this.#request.operation === 'encrypt')
      return stopped === undefined ? await this.#names.renameFolders(folders) : ok(undefined)
    this.#names.removeMaps()
    return ok(undefined)
  }
}

function openTop(path: string): Result<Folder, Failure<'GPGDIR_REFUSED'>> {
  try {
    return ok(Folder.top(path))
  } catch (error) {
    return refuse('GPGDIR_REFUSED', `${path}: ${fileReason(error)}`)
  }
}

/** Enter means yes, as in gpgdir 1.9.6. Without a terminal, nobody agrees. */
function isAgreed(question: string): boolean {
  const answer = ask(`${question} [Y/n]`)
  return answer !== undefined && /^(y|yes)?$/i.test(answer)
}
