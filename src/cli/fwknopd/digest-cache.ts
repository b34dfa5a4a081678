/**
 * `fwknopd --exit-parse-digest-cache` and `--rotate-digest-cache`. fwknopd has one file of used packets,
 * `digest.cache`. Here that file is only read, and the used packets are in a database (REPLAY_DB).
 */
import { existsSync, renameSync } from 'node:fs'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { refuseSecondInstance } from '../../daemon/warden/running-instance.ts'
import { readDigestCache } from '../../replay/import-fwknop.ts'
import { judgeReplayStore } from '../../replay/judge-store.ts'
import { openSqliteReplayStore } from '../../replay/sqlite.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import { systemPath } from '../../system/system-path.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Looks at both, and changes neither. */
export function checkDigestCache({ replay, policy }: ServerConfig, terminal: Terminal): Outcome {
  if (!policy.refuseReplays) {
    terminal.note('ENABLE_DIGEST_PERSISTENCE is N: used packets are not remembered.')
    return 0
  }
  const { path } = replay.fwknopDigests
  if (existsSync(systemPath(path))) {
    const read = readDigestCache(path)
    if (!read.ok) return read
    const { entries, problems, malformed } = read.value
    for (const { at, detail } of problems)
      terminal.note(`*Skipping invalid digest file entry in ${path} at line ${at?.line}: ${detail}`)
    if (malformed > problems.length) terminal.note(`*Skipping ${malformed - problems.length} more invalid entries`)
    terminal.note(`Using Digest Cache: '${path}' (entry count = ${entries})`)
  }
  const fault = judgeReplayStore({ path: replay.database, maxAge: policy.maxAge })
  if (fault !== undefined) return { ok: false, failure: fault }
  terminal.note('Digest cache parsed, exiting.')
  return 0
}

/**
 * Gives both files another name, with `-old` at the end. An earlier file of that name is replaced. The next server
 * knows no used packet.
 * @returns INSTANCE_RUNNING or REPLAY_STORE_LOCKED while a server uses them.
 */
export async function rotateDigestCache(server: ServerConfig): Promise<Result<readonly string[]>> {
  const { replay, policy } = server
  if (!policy.refuseReplays) return ok([])
  const alone = await refuseSecondInstance(server)
  if (!alone.ok) return alone
  if (existsSync(systemPath(replay.database))) {
    // Opened and closed: nobody else has it open, and its log is part of it again.
    const store = openSqliteReplayStore({
      ...{ path: replay.database, maxAge: policy.maxAge, share: replay.packetsPerKey },
    })
    if (!store.ok) return store
    await store.value.close()
  }
  const moved: string[] = []
  for (const path of [replay.fwknopDigests.path, replay.database]) {
    if (!existsSync(systemPath(path))) continue
    try {
      renameSync(systemPath(path), systemPath(`${path}-old`))
      moved.push(path)
    } catch (error) {
      return refuse('CONFIG_UNWRITABLE', `${path} cannot be renamed to ${path}-old: ${systemReason(error)}`)
    }
  }
  return ok(moved)
}
