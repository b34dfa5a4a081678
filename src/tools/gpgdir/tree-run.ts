/** One run over a tree: lock, finish what an earlier run began, plan, work, report. */
import { join, resolve } from 'node:path'
import { ask } from '../../cli/terminal/ask.ts'
import type { Terminal } from '../../cli/terminal/terminal.ts'
import type { GpgProgram } from '../../gpg/program.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { type Filters, isFolderTaken, isWanted } from './filters.ts'
import { Folder } from './folder.ts'
import { GpgStreams } from './gpg-stream.ts'
import { Interrupts, SIGNALS } from './interrupts.ts'
import { Journal } from './journal.ts'
import { selfTest, tryOnce } from './keys.ts'
import { lockTree, workedInAbove } from './lock.ts'
import { DEFAULT_FILE_MAP, FOLDER_MAP, type Operation } from './names.ts'
import { ObfuscatedNames } from './obfuscate.ts'
import { argumentsOf, type Means } from './operations.ts'
import { below, checkTargets, type Plan, planTasks, type Task } from './plan.ts'
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
  // From here on, a signal ends the run in good order: the lock goes, and temporary files do.
  const streams = new GpgStreams(tools.gpg)
  using interrupts = new Interrupts(() => streams.endAll())
  const lock = changes ? lockTree(top) : ok(undefined)
  if (!lock.ok) return lock
  using _held = lock.value
  const above = changes ? workedInAbove(top) : undefined
  if (above !== undefined) return refuse('GPGDIR_REFUSED', `another gpgdir works in ${above}, and this is a part of it`)
  const report = new Report(terminal, request, path)
  report.begins(argv, tools.shown)
  const run = new TreeRun(
    request,
    { top, tools, filters: filters.value, remove: remove.value, report, streams, interrupts },
    path,
  )
  const tree = await run.ready(changes)
  if (interrupts.signal !== undefined) return ok(SIGNALS[interrupts.signal])
  if (!tree.ok) return tree
  const { mapFile } = run
  const isMapFile = (name: string): boolean =>
    [mapFile, FOLDER_MAP].some((map) => name === map || name === `${map}.gpg`)
  const plan = planTasks(tree.value.files, { ...request, top: path, filters: filters.value, isMapFile })
  if (!plan.ok) return plan
  report.skips(plan.value.skipped)
  const done = request.trial
    ? await run.show(plan.value, tree.value.folders)
    : await run.perform(plan.value, tree.value.folders)
  return interrupts.signal === undefined ? done : ok(SIGNALS[interrupts.signal])
}

/** What a run has besides its request. */
interface Parts {
  readonly top: Folder
  readonly tools: Tools
  readonly filters: Filters
  readonly remove: Remover
  readonly report: Report
  readonly streams: GpgStreams
  readonly interrupts: Interrupts
}

class TreeRun {
  readonly mapFile: string
  readonly #request: Request & { readonly operation: Operation }
  readonly #parts: Parts
  /** The top folder, absolute. */
  readonly #path: string
  readonly #names: ObfuscatedNames | undefined

  constructor(request: Request & { readonly operation: Operation }, parts: Parts, path: string) {
    this.#request = request
    this.#parts = parts
    this.#path = path
    this.mapFile = request.mapFile ?? DEFAULT_FILE_MAP
    const { top, streams, tools } = parts
    this.#names = request.obfuscate
      ? new ObfuscatedNames({ top, streams, means: tools.means, mapFile: this.mapFile })
      : undefined
  }

  /** Reads the tree, tries the key, and finishes what an earlier run began. */
  async ready(changes: boolean): Promise<Result<FoundTree>> {
    const { operation, recurse, force, keepSources } = this.#request
    const { top, remove, report, interrupts } = this.#parts
    const walk = (): Result<FoundTree> => walkTree(top, { recurse, changes, force })
    const tree = walk()
    if (!tree.ok || !changes) return tree
    const tried = tree.value.files.length > 0 ? await this.#tryKey() : ok(undefined)
    if (!tried.ok || interrupts.signal !== undefined) return tried.ok ? tree : tried
    const recovered = await recover(top, tree.value.files, keepSources ? undefined : remove)
    if (!recovered.ok) return recovered
    const { finished, temporary } = recovered.value
    report.finished(finished)
    const restored = operation === 'decrypt' && recurse ? await this.#names?.restoreFolders() : undefined
    if (restored?.ok === false) return restored
    report.unrestored(restored?.value ?? [])
    return finished.length + temporary > 0 || restored !== undefined ? walk() : tree
  }

  /** So that a key that does not work is found before the first file is touched. */
  async #tryKey(): Promise<Result<void>> {
    const { operation, test } = this.#request
    const { gpg, means } = this.#parts.tools
    if (operation === 'sign') return await tryOnce(gpg, argumentsOf('sign', means), 'sign')
    if (operation === 'verify') return ok(undefined)
    if (test) return await selfTest(gpg, argumentsOf('encrypt', means))
    return operation === 'encrypt' ? await tryOnce(gpg, argumentsOf('encrypt', means), 'encrypt') : ok(undefined)
  }

  /** A trial run. Folders are shown by the names that they would get. */
  async show({ tasks }: Plan, folders: readonly string[]): Promise<Result<number>> {
    const { report } = this.#parts
    const isRestored = this.#request.operation === 'decrypt'
    const mapped = isRestored ? await this.#mapped(folders) : ok([])
    if (!mapped.ok) return mapped
    const real = isRestored && this.#request.recurse ? await this.#names?.realFolders() : undefined
    if (real?.ok === false) return real
    const all = [...tasks, ...mapped.value]
    const checked = this.#request.operation === 'verify' ? ok(all) : checkTargets(all)
    if (!checked.ok) return checked
    report.plans(all.length)
    for (const task of all) report.would({ ...task, folder: real?.value.get(task.folder) ?? task.folder })
    report.ends({ done: all.length, failed: 0, unremoved: 0 })
    return ok(0)
  }

  async perform(plan: Plan, folders: readonly string[]): Promise<Result<number>> {
    const { keepSources, operation, test } = this.#request
    const { top, tools, streams, report, interrupts, remove } = this.#parts
    const tasks = await this.#named(plan.tasks, folders)
    if (!tasks.ok) return tasks
    report.plans(tasks.value.length)
    const opened = keepSources ? ok(undefined) : Journal.open(top)
    if (!opened.ok) return opened
    using journal = opened.value
    const total = await work(
      tasks.value,
      {
        ...this.#request,
        operation,
        top,
        streams,
        means: tools.means,
        journal,
        remove,
        isKeyTried: test && tools.means.key !== 'symmetric',
      },
      {
        begin: (task) => this.#begin(task),
        told: (result) => report.told(result),
        interrupted: () => interrupts.signal,
      },
    )
    // A source that is still there is for the next run.
    if (total.unremoved === 0) journal?.remove()
    const renamed = await this.#finishNames(folders, total)
    report.ends(total)
    if (!renamed.ok) return renamed
    return ok(total.failed > 0 || total.stopped !== undefined ? 1 : 0)
  }

  #begin(task: Task): boolean {
    const { interactive, operation } = this.#request
    const at = below(task.folder, task.source)
    if (interactive && !isAgreed(`${operation} ${join(this.#path, at)}?`)) return false
    this.#parts.report.begin(task)
    return true
  }

  /** @returns the tasks, with obfuscated names where they are asked for. */
  async #named(tasks: readonly Task[], folders: readonly string[]): Promise<Result<readonly Task[]>> {
    if (this.#request.operation === 'verify') return ok(tasks)
    const named = await this.#withNames(tasks, folders)
    return named.ok ? checkTargets(named.value) : named
  }

  async #withNames(tasks: readonly Task[], folders: readonly string[]): Promise<Result<readonly Task[]>> {
    if (this.#names === undefined) return ok(tasks)
    if (this.#request.operation === 'encrypt') return await this.#names.assign(tasks)
    const mapped = await this.#mapped(folders)
    return mapped.ok ? ok([...tasks, ...mapped.value]) : mapped
  }

  /** The tasks of a decryption that the maps tell of. The filters look at the real names. */
  async #mapped(folders: readonly string[]): Promise<Result<readonly Task[]>> {
    if (this.#names === undefined) return ok([])
    const real = this.#request.trial ? await this.#names.realFolders() : ok(new Map<string, string>())
    if (!real.ok) return real
    const mapped = await this.#names.tasks(folders)
    if (!mapped.ok) return mapped
    return ok(
      mapped.value.filter(({ folder, target }) => this.#isWanted(below(real.value.get(folder) ?? folder, target))),
    )
  }

  #isWanted(path: string): boolean {
    return isWanted(this.#parts.filters, join(this.#path, path), path)
  }

  async #finishNames(folders: readonly string[], { stopped }: Total): Promise<Result<void>> {
    if (this.#names === undefined) return ok(undefined)
    if (this.#request.operation === 'encrypt') {
      const { force } = this.#request
      const taken = folders.filter((path) => isFolderTaken(this.#parts.filters, this.#path, path, force))
      return stopped === undefined ? await this.#names.renameFolders(taken) : ok(undefined)
    }
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
