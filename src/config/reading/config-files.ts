/**
 * The files that a configuration is made of, as the parsers ask for them. `config/` reads no disk: its caller does, and
 * checks who may read the file. Tests and the receiver, which may open no file, answer from memory.
 */
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { folderOf } from './paths.ts'

export type ConfigFileFailure = Failure<'CONFIG_UNREADABLE' | 'CONFIG_EXPOSED'>

export interface ConfigFiles {
  /** @returns the whole file, by `textFromBytes`: what is not UTF-8 is kept, since keys are bytes. */
  read(path: string): Result<string, ConfigFileFailure>
  /** The same for a file of `%include_keys`, which may be the file of any one user. */
  readKeys(path: string): Result<string, ConfigFileFailure>
  /** @returns the paths of the `*.conf` files right inside of a folder, in the order of their names. */
  list(folder: string): Result<readonly string[], ConfigFileFailure>
}

/**
 * Files as plain data, which JSON can carry from one process to another. Failures are kept: both sides see the same.
 */
export interface ConfigSnapshot {
  readonly texts: Readonly<Record<string, string>>
  /** Those that were read by `readKeys`. Absent: among the texts. */
  readonly keyTexts?: Readonly<Record<string, string>>
  readonly folders: Readonly<Record<string, readonly string[]>>
  readonly failures: Readonly<Record<string, ConfigFileFailure>>
}

/** Other texts in the place of these files, as if they had been written already: also files that are new. */
export function withTexts(files: ConfigFiles, texts: ReadonlyMap<string, string>): ConfigFiles {
  return {
    ...files,
    read(path) {
      const text = texts.get(path)
      return text === undefined ? files.read(path) : ok(text)
    },
    list(folder) {
      const names = files.list(folder)
      const added = [...texts.keys()].filter((path) => (folderOf(path) || '/') === folder && path.endsWith('.conf'))
      return names.ok ? ok([...new Set([...names.value, ...added])].sort()) : names
    },
  }
}

/** Answers from a snapshot, and knows no other file. */
export function filesFromSnapshot(snapshot: ConfigSnapshot): ConfigFiles {
  const missing = (path: string): Result<never, ConfigFileFailure> =>
    Object.hasOwn(snapshot.failures, path)
      ? { ok: false, failure: snapshot.failures[path] as ConfigFileFailure }
      : refuse('CONFIG_UNREADABLE', `${path} is not among the files that were read`)
  return {
    read: (path) => (Object.hasOwn(snapshot.texts, path) ? ok(snapshot.texts[path] as string) : missing(path)),
    readKeys(path) {
      const texts = snapshot.keyTexts ?? snapshot.texts
      return Object.hasOwn(texts, path) ? ok(texts[path] as string) : missing(path)
    },
    list: (folder) => (Object.hasOwn(snapshot.folders, folder) ? ok(snapshot.folders[folder] ?? []) : missing(folder)),
  }
}

/**
 * Passes questions on to `files`, each once, and keeps the answers: what was asked for is what the other process needs.
 */
export function recordFiles(files: ConfigFiles): ConfigFiles & { snapshot(): ConfigSnapshot } {
  const texts = new Map<string, Result<string, ConfigFileFailure>>()
  const keyTexts = new Map<string, Result<string, ConfigFileFailure>>()
  const folders = new Map<string, Result<readonly string[], ConfigFileFailure>>()
  return {
    read: (path) => remember(texts, path, files.read),
    readKeys: (path) => remember(keyTexts, path, files.readKeys),
    list: (folder) => remember(folders, folder, files.list),
    snapshot: () => ({
      texts: Object.fromEntries(answered(texts)),
      keyTexts: Object.fromEntries(answered(keyTexts)),
      folders: Object.fromEntries(answered(folders)),
      failures: Object.fromEntries([...refused(texts), ...refused(keyTexts), ...refused(folders)]),
    }),
  }
}

function remember<T>(answers: Map<string, T>, path: string, ask: (path: string) => T): T {
  const known = answers.get(path)
  if (known !== undefined) return known
  const answer = ask(path)
  answers.set(path, answer)
  return answer
}

function answered<T>(answers: Map<string, Result<T, ConfigFileFailure>>): [string, T][] {
  return [...answers].flatMap(([path, answer]): [string, T][] => (answer.ok ? [[path, answer.value]] : []))
}

function refused(answers: Map<string, Result<unknown, ConfigFileFailure>>): [string, ConfigFileFailure][] {
  return [...answers].flatMap(([path, answer]): [string, ConfigFileFailure][] =>
    answer.ok ? [] : [[path, answer.failure]],
  )
}
