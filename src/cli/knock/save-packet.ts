/** `--save-packet`: the packets as they go over the wire, one a line. Who has a packet can send it, within its time. */
import { appendFileSync, statSync } from 'node:fs'
import type { SealedKnock } from '../../client/knock.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { replaceUserFile } from '../../system/replace-user-file.ts'
import { systemPath } from '../../system/system-path.ts'
import { judgeWay } from '../../system/user-file.ts'

export function savePackets(
  file: string,
  packets: readonly SealedKnock[],
  append: boolean,
): Result<void, Failure<'CONFIG_UNWRITABLE' | 'CONFIG_EXPOSED'>> {
  const text = packets.map((packet) => `${packet.text}\n`).join('')
  try {
    const found = statSync(systemPath(file), { throwIfNoEntry: false })
    // A pipe or a device has no old content to replace.
    if (!append && (found === undefined || found.isFile())) return replaceUserFile(file, text)
    const exposed = judgeWay(file)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    appendFileSync(systemPath(file), text, { mode: 0o600 })
    return ok(undefined)
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${file}: ${fileReason(error)}`)
  }
}
