/**
 * The settings of this host about its cluster, and how a command changes them: under a lock, with a line in the audit
 * log, and only if the server would take the new text. What was made is removed again where a later step fails.
 */
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { changedText } from '../../audit-log/changed-lines.ts'
import { loadConfig, loadServerConfig } from '../../config/load.ts'
import { type ConfigFiles, withTexts } from '../../config/reading/config-files.ts'
import type { ClusterConfig } from '../../config/server/cluster-settings.ts'
import type { ParsedServerConfig } from '../../config/server/parse-fwknopd-conf.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { type ClusterSecrets, judgeCluster, readClusterSecrets } from '../../daemon/warden/cluster-process/secrets.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { removeDrafts, replaceConfigFile } from '../../system/replace-config-file.ts'
import { prepareServerFile, removeFileAndDrafts, replaceServerFile } from '../../system/server-file.ts'
import { systemPath } from '../../system/system-path.ts'
import { readSecretLine } from '../../system/trusted-file.ts'
import { recorded } from '../recorded.ts'
import { configFiles } from '../server/config-source.ts'
import { lockConfigFile } from '../server/lock-config-file.ts'

/** The settings that leave takes away: those that init and join write, and what depends on them. */
export const CLUSTER_SETTINGS = [
  ...(['CLUSTER', 'CLUSTER_NODE', 'CLUSTER_TIMEOUT', 'CLUSTER_PASSWORD_FILE', 'CLUSTER_CA_FILE'] as const),
  ...(['CLUSTER_SECRET_FILE', 'CLUSTER_CERTIFICATE_FILE', 'CLUSTER_KEY_FILE'] as const),
  ...(['CLUSTER_USERS', 'CLUSTER_USERS_MAY', 'CLUSTER_COPY_AGE'] as const),
] as const
/** The files of a cluster, beside the settings. */
export const PASSWORD_NAME = 'cluster.password'
export const SECRET_NAME = 'cluster.secret'
export const AUTHORITIES_NAME = 'cluster-ca.pem'

export interface HostSettings {
  readonly file: string
  readonly text: string
  readonly config: ServerConfig
}

/** @param given `--config-file`. @returns what is wrong with the settings, with file and line. */
export function readHostSettings(given: { readonly 'config-file': string | undefined }): Result<HostSettings> {
  const source = configFiles({ ...given, 'access-file': undefined })
  if (!source.ok) return source
  const file = source.value.server
  if (!existsSync(systemPath(file)))
    return refuse('SETUP_REFUSED', `there is no ${file}: this host is no server yet`, { suggestion: 'ghostport init' })
  const files = diskFiles(process.getuid?.() ?? 0)
  const text = files.read(file)
  if (!text.ok) return text
  const parsed = loadServerConfig(files, source.value)
  return parsed.ok ? ok({ file, text: text.value, config: parsed.value.config }) : parsed
}

export interface InCluster extends HostSettings {
  readonly cluster: ClusterConfig
  readonly secrets: ClusterSecrets
  /** The line of CLUSTER_SECRET_FILE. Absent: this node shares used packets only. */
  readonly secret?: string
}

/** Of a host that is in a cluster. @returns SETUP_REFUSED where it is in none. */
export function readInCluster(given: { readonly 'config-file': string | undefined }): Result<InCluster> {
  const read = readHostSettings(given)
  if (!read.ok) return read
  const { cluster } = read.value.config
  if (cluster === undefined)
    return refuse('SETUP_REFUSED', `${read.value.file} has no CLUSTER: this host is in no cluster`, {
      suggestion: 'ghostport cluster init NAME --etcd HOST,…, or ghostport cluster join FILE',
    })
  const secrets = readClusterSecrets(cluster)
  if (!secrets.ok) return secrets
  const secret = cluster.secretFile === undefined ? ok(undefined) : secretLine(cluster.secretFile)
  if (!secret.ok) return secret
  const own = secret.value === undefined ? {} : { secret: secret.value }
  return ok({ ...read.value, cluster, secrets: secrets.value, ...own })
}

/** The first line of a file of root. */
export function secretLine(path: string): Result<string> {
  const read = readSecretLine(path)
  return read.ok ? ok(Buffer.from(read.value).toString('utf8')) : read
}

/** A file beside the settings. */
export interface BesideFile {
  readonly path: string
  readonly text: string
  /** 0600 for a secret. */
  readonly mode: number
}

export function besideSettings(settings: string, name: string): string {
  return join(dirname(settings), name)
}

export interface HostChange {
  readonly did: 'cluster init' | 'cluster join' | 'cluster leave'
  readonly to: string
  readonly edit: (text: string) => string
  readonly files?: readonly BesideFile[]
  /** Those that go once the settings do not name them any more. */
  readonly removed?: readonly string[]
  /** Runs between files and settings. */
  readonly between?: () => Promise<Result<void>>
  /** Whether others may know what is in the files, after `between`. Then a failure leaves them for the next try. */
  readonly isKnown?: () => boolean
}

/** @param change of what {@link readHostSettings} read. @returns what is wrong; then this host is as before. */
export async function changeHost({ file, config }: HostSettings, change: HostChange): Promise<Result<void>> {
  const locked = await lockConfigFile(file)
  if (!locked.ok) return locked
  try {
    const judged = judgeChange({ file }, change)
    if (!judged.ok) return judged
    const { before, after, parsed } = judged.value
    const { did, to } = change
    const line = { did, to, ...changedText(before, after) }
    return await recorded(config.auditLog, line, () => carryOut(file, before, parsed, after, change))
  } finally {
    locked.value.release()
  }
}

/** Whether the settings may be changed so. Changes nothing. @returns the text before and after. */
export function judgeChange(
  { file }: Pick<HostSettings, 'file'>,
  { edit }: Pick<HostChange, 'edit'>,
): Result<{ readonly before: string; readonly after: string; readonly parsed: ParsedServerConfig }> {
  const files = diskFiles(process.getuid?.() ?? 0)
  const before = files.read(file)
  if (!before.ok) return before
  const after = edit(before.value)
  const changed = withTexts(files, new Map([[file, after]]))
  const parsed = loadServerConfig(changed, { server: file })
  if (!parsed.ok) return parsed
  const starts = startsStill(files, changed, file)
  return starts.ok ? ok({ before: before.value, after, parsed: parsed.value }) : starts
}

async function carryOut(
  file: string,
  before: string,
  { config, at }: ParsedServerConfig,
  after: string,
  { files = [], removed = [], between, isKnown }: HostChange,
): Promise<Result<void>> {
  const made: string[] = []
  const back = (failure: Failure): Result<never> => {
    for (const path of made) rmSync(systemPath(path), { force: true })
    return { ok: false, failure }
  }
  for (const { path, text, mode } of files) {
    const isNew = !existsSync(systemPath(path))
    try {
      const exposed = prepareServerFile(path)
      if (exposed !== undefined) return back(exposed)
      replaceServerFile(path, text, mode)
    } catch (error) {
      return back(refuse('CONFIG_UNWRITABLE', `${path}: ${fileReason(error)}`).failure)
    }
    if (isNew) made.push(path)
  }
  // As a start will read them.
  const usable = judgeCluster({ server: config, at })
  if (!usable.ok) return back(usable.failure)
  const judged = await between?.()
  if (isKnown?.()) made.length = 0
  if (judged?.ok === false) return back(judged.failure)
  removeDrafts(file)
  const written = after === before ? ok(undefined) : replaceConfigFile(file, after)
  if (!written.ok) return back(written.failure)
  const failed = removed.flatMap((path) => removeAll(path) ?? [])
  return failed[0] === undefined ? ok(undefined) : { ok: false, failure: failed[0] }
}

/** @returns why something stays. */
function removeAll(path: string): Failure | undefined {
  try {
    removeFileAndDrafts(path)
    return undefined
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${path} is still there: ${fileReason(error)}`, {
      suggestion: 'ghostport cluster leave, once more',
    }).failure
  }
}

/** A server that starts now must start afterwards too: else its doors stay shut for everybody. */
function startsStill(files: ConfigFiles, changed: ConfigFiles, file: string): Result<void> {
  if (!loadConfig(files, { server: file }).ok) return ok(undefined)
  const loaded = loadConfig(changed, { server: file })
  if (loaded.ok) return ok(undefined)
  const { failure } = loaded
  return { ok: false, failure: { ...failure, detail: `the server would not start afterwards: ${failure.detail}` } }
}
