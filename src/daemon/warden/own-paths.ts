/** Checks the paths at which a start makes files: the replay store, the control socket, the process id. Makes none. */
import { accessSync, constants, existsSync, lstatSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { UsedSetting } from '../../config/server/fwknopd-settings.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { judgeFile, judgeTrail, ourUsers } from '../../system/file-trust.ts'
import { judgeServerFile, prepareServerFile, readServerFile } from '../../system/server-file.ts'
import { systemPath } from '../../system/system-path.ts'

/** A process id has at most this many digits; its file has a line feed more. */
const LONGEST_PID = 10

/** @returns why the replay store, the control socket or the process id file cannot be made where the settings say. */
export async function lookAtOwnPaths(loaded: LoadedConfig): Promise<Result<readonly Notice[]>> {
  const { server, at } = loaded
  const judged = judgeOwnPaths(loaded)
  if (!judged.ok) return judged
  const problems = [
    ['REPLAY_DB', await replayStore(server)],
    ['CONTROL_SOCKET', controlSocket(server.controlSocket)],
    ['FWKNOP_PID_FILE', server.pidFile === undefined ? undefined : pidFile(server.pidFile)],
  ] as const
  for (const [name, failure] of problems)
    if (failure !== undefined) return { ok: false, failure: located(name, failure, at) }
  return ok(digestFile(server, at))
}

/**
 * Whether only we may change the files that a start makes, replaces or reads, besides the configuration. A start checks
 * this before it makes anything.
 * @returns CONFIG_EXPOSED with the setting and its line. If a path cannot be checked, this succeeds: the code that
 * uses it reports why.
 */
export function judgeOwnPaths({ server, at }: Pick<LoadedConfig, 'server' | 'at'>): Result<void> {
  const { replay, policy, controlSocket, pidFile, auditLog } = server
  const { path: digests } = replay.fwknopDigests
  const files: (readonly [UsedSetting, string, (path: string) => Failure | undefined])[] = [
    ['CONTROL_SOCKET', controlSocket, judgeServerFile],
  ]
  if (pidFile !== undefined) files.push(['FWKNOP_PID_FILE', pidFile, judgeServerFile])
  if (server.consoleAccess !== undefined) files.push(['CONSOLE_SOCKET', server.consoleAccess.socket, judgeOpenSocket])
  if (policy.refuseReplays)
    files.push(
      ['REPLAY_DB', replay.database, judgeServerFile],
      ['REPLAY_DB', `${replay.database}-wal`, judgeServerFile],
      ['DIGEST_FILE', digests, judgeDigests],
    )
  files.push(['AUDIT_LOG', auditLog, judgeServerFile])
  for (const [setting, path, judge] of files) {
    let exposed: Failure | undefined
    try {
      exposed = judge(path)
    } catch {
      continue
    }
    if (exposed !== undefined) return { ok: false, failure: located(setting, exposed, at) }
  }
  return ok(undefined)
}

/** fwknopd's own file is only read. Others who could empty it would make used packets new. */
function judgeDigests(path: string): Failure | undefined {
  return judgeFile(path, {
    owners: ourUsers(),
    cure: () => 'move the file into a folder that only root can write to, and name it there',
  })
}

/** Adds the setting and its line in the file. */
export function located(name: UsedSetting, failure: Failure, at: LoadedConfig['at']): Failure {
  const location = at[name]
  const detail = failure.detail.startsWith(name) ? failure.detail : `${name}: ${failure.detail}`
  return { ...failure, detail, ...(location === undefined ? {} : { at: location }) }
}

async function replayStore({ replay, policy }: ServerConfig): Promise<Failure | undefined> {
  if (!policy.refuseReplays) return undefined
  const { judgeReplayStore } = await import('../../replay/judge-store.ts')
  const failure = judgeReplayStore({ path: replay.database, maxAge: policy.maxAge })
  if (failure !== undefined) return failure
  const problem = unwritable(dirname(resolve(replay.database)))
  return problem === undefined ? undefined : refuse('REPLAY_STORE_FAILED', problem).failure
}

/** A start goes on without it: fwknopd may never have written it. */
function digestFile({ replay, policy }: ServerConfig, at: LoadedConfig['at']): readonly Notice[] {
  const { path, named } = replay.fwknopDigests
  if (!policy.refuseReplays || !named) return []
  try {
    accessSync(systemPath(path), constants.R_OK)
    return []
  } catch (error) {
    const text = `DIGEST_FILE: ${path}: ${systemReason(error)}. ghostport does not know which packets fwknopd has already accepted`
    const location = at.DIGEST_FILE
    return [{ level: 'warning', text, ...(location === undefined ? {} : { at: location }) }]
  }
}

function controlSocket(path: string): Failure | undefined {
  const problem = unwritable(dirname(resolve(path))) ?? notASocket(path)
  return problem === undefined ? undefined : refuse('CONFIG_UNWRITABLE', problem).failure
}

/** A start does not make its folder, so the folder must exist. */
function pidFile(path: string): Failure | undefined {
  const folder = dirname(resolve(path))
  const problem = existsSync(systemPath(folder))
    ? (unwritable(folder) ?? notAPidFile(path))
    : `there is no folder ${folder}`
  return problem === undefined ? undefined : refuse('CONFIG_UNWRITABLE', problem).failure
}

/** A start removes the socket of a server that died. @returns why the existing file is not such a socket. */
function notASocket(path: string): string | undefined {
  const found = lstatSync(systemPath(path), { throwIfNoEntry: false })
  if (found === undefined || found.isSocket()) return undefined
  return `${path} exists and is not a socket: remove it, or name another path`
}

/**
 * Makes room for a socket of ours: its folder, and nothing in its place but the socket of a server that died.
 * @returns why others could put a socket there, which would answer in our name; or why the existing file stays.
 * @throws the file system's errors.
 */
export function clearForSocket(path: string): Failure<'CONFIG_UNWRITABLE' | 'CONFIG_EXPOSED'> | undefined {
  const exposed = judgeOpenSocket(path)
  if (exposed !== undefined) return exposed
  const other = notASocket(path)
  if (other !== undefined) return refuse('CONFIG_UNWRITABLE', other).failure
  rmSync(path, { force: true })
  return prepareServerFile(path)
}

/** Everybody may connect to the socket of the console: its mode says nothing, and a start makes it anew. */
function judgeOpenSocket(path: string): Failure<'CONFIG_EXPOSED'> | undefined {
  const found = lstatSync(systemPath(path), { throwIfNoEntry: false })
  return found?.isSocket() === true && ourUsers().has(found.uid)
    ? judgeTrail(path, { owners: ourUsers(), alone: true })
    : judgeServerFile(path)
}

/** A start overwrites the file of a server that died. @returns why the existing file is not such a file. */
export function notAPidFile(path: string): string | undefined {
  const read = readServerFile(path, LONGEST_PID + 1)
  if (read.ok && (read.value === undefined || new RegExp(`^\\s*[0-9]{0,${LONGEST_PID}}\\s*$`).test(read.value)))
    return undefined
  return `${path} exists and holds no process id: remove it, or name another path`
}

function unwritable(folder: string): string | undefined {
  const existing = nearestFolder(folder)
  try {
    if (!statSync(systemPath(existing)).isDirectory()) return `${existing} is not a directory`
    accessSync(systemPath(existing), constants.W_OK | constants.X_OK)
    // The kernel’s own file systems let root write, but make no files.
    return /^\/(proc|sys)(\/|$)/.test(existing) ? `no file can be made in ${existing}` : undefined
  } catch (error) {
    return `${existing}: ${systemReason(error)}`
  }
}

/** The folder itself, or the closest existing one above it. */
function nearestFolder(folder: string): string {
  return existsSync(systemPath(folder)) || folder === dirname(folder) ? folder : nearestFolder(dirname(folder))
}
