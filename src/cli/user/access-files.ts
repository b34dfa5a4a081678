/**
 * access.conf and the files that it includes, to be read or changed by a command. A change is made under a lock, and
 * only if the server would take the new text: it is read by the server’s own parser before anything is written.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ownNames, sameNameKey } from '../../access/stanza-name.ts'
import { ownActor } from '../../audit-log/actor.ts'
import { appendAudit } from '../../audit-log/append.ts'
import { changedLines } from '../../audit-log/changed-lines.ts'
import { holdsKeys } from '../../config/access/access-setting-names.ts'
import type { AccessReading } from '../../config/access/blocks.ts'
import { type User, usersIn } from '../../config/access/users.ts'
import { accessReading, type ConfigSource, type LoadedConfig, loadConfig, loadServerConfig } from '../../config/load.ts'
import { type ConfigFiles, withTexts } from '../../config/reading/config-files.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { octal } from '../../system/file-trust.ts'
import type { InstanceLock } from '../../system/instance-lock.ts'
import { removeDrafts, replaceConfigFile } from '../../system/replace-config-file.ts'
import { systemPath } from '../../system/system-path.ts'
import { recordNotDone } from '../recorded.ts'
import { lockConfigFile } from '../server/lock-config-file.ts'
import { changeCluster, clusterChanges, clusterFile } from './cluster-change.ts'

export interface AccessFiles {
  readonly source: ConfigSource
  readonly server: ServerConfig
  readonly files: ConfigFiles
  /** All stanzas, in their order. */
  readonly users: readonly User[]
  /** Absent: there is no stanza yet. */
  readonly loaded?: LoadedConfig
  /** The stanzas that a command adds go there: this node’s copy of the cluster’s. Absent: into its own file. */
  readonly clusterFile?: string
  /** The keys of the names that both this node and the cluster have. This node’s own stanza counts here. */
  readonly inBoth: ReadonlySet<string>
}

/** Which stanzas a command is about. `local`: those of this node’s own files, also in a cluster with shared users. */
export type Reach = 'all' | 'local'

/** @returns what the files say, or what is wrong with them, with file and line: as “ghostport serve” would. */
export function readAccess(source: ConfigSource, reach: Reach = 'all'): Result<AccessFiles> {
  const files = readOnce(diskFiles(process.getuid?.() ?? 0))
  const settings = serverSettings(files, source)
  if (!settings.ok) return settings
  const server = settings.value
  const reading: AccessReading = accessReading(server, source, [])
  const loaded = loadConfig(files, source)
  if (!loaded.ok) {
    const empty = usersIn(server.accessFile, files, [], reading)
    if (empty.ok && empty.value.length === 0) return ok({ source, server, files, users: [], inBoth: new Set() })
    return loaded
  }
  const users = usersIn(server.accessFile, files, loaded.value.policy.stanzas, reading)
  if (!users.ok) return users
  const all = { source, server, files, users: users.value, loaded: loaded.value, inBoth: inBoth(users.value) }
  const shared = clusterFile(server)
  if (shared === undefined) return ok(all)
  if (reach === 'local') return ok({ ...all, users: users.value.filter(({ ofCluster }) => !ofCluster) })
  return ok({ ...all, clusterFile: shared })
}

/** Without those of the cluster that have the name of one of this node’s own: that one is meant. */
function withoutHidden(users: readonly User[]): readonly User[] {
  const own = ownNames(users)
  return users.filter(({ name, ofCluster }) => !ofCluster || name === undefined || !own.has(sameNameKey(name)))
}

function inBoth(users: readonly User[]): ReadonlySet<string> {
  const own = ownNames(users)
  const keys = users.flatMap(({ name, ofCluster }) => (name !== undefined && ofCluster ? [sameNameKey(name)] : []))
  return new Set(keys.filter((key) => own.has(key)))
}

/** What fwknopd.conf and the command line say. */
function serverSettings(files: ConfigFiles, source: ConfigSource): Result<ServerConfig> {
  const parsed = loadServerConfig(files, source)
  if (!parsed.ok) return parsed
  const { config } = parsed.value
  return ok(source.access === undefined ? config : { ...config, accessFile: source.access })
}

/** What is to be written: path → text. */
export type NewTexts = ReadonlyMap<string, string>

/** What the audit log is to say of a change. */
export interface Recorded {
  /** Such as `user add`. */
  readonly did: string
  /** Users, mostly one. */
  readonly to: string
  /** A change that only takes away is made also where it cannot be recorded. */
  readonly onlyTakesAway?: boolean
}

/** What an edit is to do. */
export interface AccessEdit<T> {
  readonly texts: NewTexts
  readonly result: T
  readonly recorded: Recorded
  /** The keys of stanzas of the cluster that it counts on: nothing changes unless the cluster has them as here. */
  readonly relied?: ReadonlySet<string>
}

export interface Changed<T> {
  readonly result: T
  readonly server: ServerConfig
  readonly loaded: LoadedConfig | undefined
  /** Why the audit log has no line about it. */
  readonly unrecorded?: Failure
}

/**
 * Changes the files, one command at a time.
 * @param edit gets what the files say now.
 * @returns what `edit` returned, once all is written; INSTANCE_RUNNING if another command holds the files for too long;
 * AUDIT_FAILED if it cannot be recorded; or why the server would refuse the new text. Then nothing is written.
 */
export async function changeAccess<T>(
  source: ConfigSource,
  reach: Reach,
  edit: (access: AccessFiles) => Result<AccessEdit<T>>,
): Promise<Result<Changed<T>>> {
  const first = serverSettings(diskFiles(process.getuid?.() ?? 0), source)
  if (!first.ok) return first
  const locked = await lockFor(first.value)
  if (!locked.ok) return locked
  try {
    const access = readAccess(source, reach)
    if (!access.ok) return access
    const { server, files, loaded } = access.value
    const edited = edit({ ...access.value, users: withoutHidden(access.value.users) })
    if (!edited.ok) return edited
    const { texts, result, recorded, relied } = edited.value
    if (texts.size === 0) return ok({ result, server, loaded })
    const after = loadConfig(withTexts(files, texts), source)
    if (!after.ok) return after
    const shared = clusterChanges(server, files, texts, after.value, relied)
    if (!shared.ok) return shared
    const own = new Map([...texts].filter(([file]) => file !== clusterFile(server)))
    for (const [file, text] of own) {
      const exposed = exposure(file, text)
      if (!exposed.ok) return exposed
    }
    for (const file of own.keys()) {
      const unchanged = judgeUnchanged(file, files)
      if (!unchanged.ok) return unchanged
    }
    const unrecorded = await record(server, recorded, files, texts)
    if (unrecorded !== undefined && recorded.onlyTakesAway !== true) return { ok: false, failure: unrecorded }
    if (shared.value.length > 0) {
      const taken = await changeCluster(server.controlSocket, shared.value)
      if (!taken.ok) {
        await recordNotDone(server.auditLog, recorded, taken.failure)
        return taken
      }
    }
    for (const [file, text] of own) {
      const unchanged = judgeUnchanged(file, files)
      if (unchanged.ok) removeDrafts(file)
      const written = unchanged.ok ? replaceConfigFile(file, text) : unchanged
      if (written.ok) continue
      await recordNotDone(server.auditLog, recorded, written.failure)
      return written
    }
    return ok({ result, server, loaded: after.value, ...(unrecorded !== undefined && { unrecorded }) })
  } finally {
    locked.value.release()
  }
}

/** Before anything is written: a crash in between leaves a line too many, and never one too few. */
async function record(
  { auditLog }: ServerConfig,
  { did, to }: Recorded,
  files: ConfigFiles,
  texts: NewTexts,
): Promise<Failure | undefined> {
  const earlier = new Map<string, string>()
  for (const file of texts.keys()) {
    const text = files.read(file)
    if (text.ok) earlier.set(file, text.value)
  }
  const recorded = await appendAudit(auditLog, { by: ownActor(), did, to, ...changedLines(earlier, texts) })
  return recorded.ok ? undefined : recorded.failure
}

function lockFor({ accessFile, accessFolder }: ServerConfig): Promise<Result<InstanceLock, Failure>> {
  return lockConfigFile(accessFolder === undefined ? accessFile : join(accessFolder, 'access.conf'))
}

/** Each file is read once, so that all that is done with its text is done with the same text. */
function readOnce(files: ConfigFiles): ConfigFiles {
  const texts = new Map<string, ReturnType<ConfigFiles['read']>>()
  return {
    ...files,
    read: (path) => {
      const text = texts.get(path) ?? files.read(path)
      texts.set(path, text)
      return text
    },
  }
}

/** An editor does not know our lock. */
function judgeUnchanged(file: string, files: ConfigFiles): Result<void> {
  const before = files.read(file)
  const now = diskFiles(process.getuid?.() ?? 0).read(file)
  const isSame = before.ok ? now.ok && now.value === before.value : !now.ok
  return isSame ? ok(undefined) : refuse('FILE_BUSY', `${file} was changed meanwhile, by an editor perhaps`)
}

/** A file that all could read as long as it had no keys. */
function exposure(file: string, text: string): Result<void> {
  const found = statSync(systemPath(file), { throwIfNoEntry: false })
  if (found === undefined || (found.mode & 0o044) === 0 || !holdsKeys(text)) return ok(undefined)
  return refuse('CONFIG_EXPOSED', `${file} would hold keys, and can be read by others (mode ${octal(found.mode)})`, {
    suggestion: `chmod 600 ${file}`,
  })
}
