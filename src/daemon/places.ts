/** Where a start makes files: looked at without making any. */
import { accessSync, constants, existsSync, lstatSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Notice } from '../config/notice.ts'
import type { ServerConfig } from '../config/server-config.ts'
import type { UsedSetting } from '../config/server-settings.ts'
import { systemReason } from '../replay/private-file.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemPath } from '../system-path.ts'
import { judgeFolder } from './folder-guard.ts'
import type { LoadedConfig } from './load-config.ts'

/** @returns why the replay store, the control socket or the process id’s file cannot be made where the settings say. */
export async function lookAtPlaces({ server, at }: LoadedConfig): Promise<Result<readonly Notice[]>> {
  const problems = [
    ['REPLAY_DB', await replayStore(server)],
    ['CONTROL_SOCKET', controlSocket(server.controlSocket)],
    ['FWKNOP_PID_FILE', server.pidFile === undefined ? undefined : pidFile(server.pidFile)],
  ] as const
  for (const [name, failure] of problems)
    if (failure !== undefined) return { ok: false, failure: located(name, failure, at) }
  return ok(digestFile(server, at))
}

/** Names the setting and its place in the file. */
export function located(name: UsedSetting, failure: Failure, at: LoadedConfig['at']): Failure {
  const place = at[name]
  const detail = failure.detail.startsWith(name) ? failure.detail : `${name}: ${failure.detail}`
  return { ...failure, detail, ...(place === undefined ? {} : { at: place }) }
}

async function replayStore({ replay, policy }: ServerConfig): Promise<Failure | undefined> {
  if (!policy.refuseReplays) return undefined
  const { judgeReplayStore } = await import('../replay/judge-store.ts')
  const failure = judgeReplayStore({ path: replay.database, maxAge: policy.maxAge })
  if (failure !== undefined) return failure
  const problem = unwritable(dirname(resolve(replay.database)))
  return problem === undefined ? undefined : refuse('REPLAY_STORE_FAILED', problem).failure
}

/** A start without it goes on: fwknopd may never have written it. */
function digestFile({ replay, policy }: ServerConfig, at: LoadedConfig['at']): readonly Notice[] {
  const { path, named } = replay.fwknopDigests
  if (!policy.refuseReplays || !named) return []
  try {
    accessSync(systemPath(path), constants.R_OK)
    return []
  } catch (error) {
    const text = `DIGEST_FILE: ${path}: ${systemReason(error)}. Packets that fwknopd has seen are not known to be used`
    const place = at.DIGEST_FILE
    return [{ level: 'warning', text, ...(place === undefined ? {} : { at: place }) }]
  }
}

function controlSocket(path: string): Failure | undefined {
  const folder = nearestFolder(dirname(resolve(path)))
  try {
    const exposed = judgeFolder(folder, process.geteuid?.() ?? 0)
    if (exposed !== undefined) return exposed
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${folder}: ${systemReason(error)}`).failure
  }
  const problem = unwritable(folder) ?? notASocket(path)
  return problem === undefined ? undefined : refuse('CONFIG_UNWRITABLE', problem).failure
}

/** Its folder is not made by a start: it has to be there. */
function pidFile(path: string): Failure | undefined {
  const folder = dirname(resolve(path))
  const problem = existsSync(systemPath(folder))
    ? (unwritable(folder) ?? notAPidFile(path))
    : `there is no folder ${folder}`
  return problem === undefined ? undefined : refuse('CONFIG_UNWRITABLE', problem).failure
}

/** A start removes what a dead server left there. @returns why what is there is nothing that a server left. */
export function notASocket(path: string): string | undefined {
  const found = lstatSync(systemPath(path), { throwIfNoEntry: false })
  if (found === undefined || found.isSocket()) return undefined
  return `${path} is there, and is no socket: remove it, or name another path`
}

/** A start writes over what a dead server left there. @returns why what is there is nothing that a server left. */
export function notAPidFile(path: string): string | undefined {
  const found = statSync(systemPath(path), { throwIfNoEntry: false })
  if (found === undefined) return undefined
  const isOne = found.isFile() && found.size <= 20 && /^\s*[0-9]*\s*$/.test(readFileSync(systemPath(path), 'latin1'))
  return isOne ? undefined : `${path} is there, and holds no process id: remove it, or name another path`
}

function unwritable(folder: string): string | undefined {
  const existing = nearestFolder(folder)
  try {
    if (!statSync(systemPath(existing)).isDirectory()) return `${existing} is not a directory`
    accessSync(systemPath(existing), constants.W_OK | constants.X_OK)
    // The kernel’s own file systems let root write, and make no file.
    return /^\/(proc|sys)(\/|$)/.test(existing) ? `no file can be made in ${existing}` : undefined
  } catch (error) {
    return `${existing}: ${systemReason(error)}`
  }
}

/** The folder itself, or the closest one above it that exists. */
function nearestFolder(folder: string): string {
  return existsSync(systemPath(folder)) || folder === dirname(folder) ? folder : nearestFolder(dirname(folder))
}
