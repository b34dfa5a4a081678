/** The unit of a server that runs commands: without the limits under which most commands cannot work. */
import { existsSync } from 'node:fs'
import { loadConfig } from '../../config/load.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { stanzasRunCommands } from '../../daemon/warden/executor-process/commands.ts'

/** What limits each process of the service, and so each command. */
const LIMITS =
  /^(CapabilityBoundingSet|NoNewPrivileges|Restrict(AddressFamilies|Namespaces|Realtime|SUIDSGID)|Protect[A-Za-z]+|Private[A-Za-z]+|LockPersonality|SystemCall[A-Za-z]+|UMask)=/
const TASKS = /^TasksMax=.*$/m
const COMMENT = [
  '# This server runs commands (docs/COMMANDS.md). They inherit every limit of this unit, so it has none of the usual ones. Write those back',
  '# that your commands do not need: “systemctl edit ghostport” takes lines such as ProtectHome=yes below [Service]. With NoNewPrivileges=yes',
  '# sudo does not work. The receiver, which reads packets from strangers, confines itself.',
]

/**
 * Whether the settings have something run.
 * @returns why that is not known; undefined if a file is not there yet.
 */
export function wantsCommandUnit(server: string, access: string): boolean | string | undefined {
  if (!existsSync(server) || !existsSync(access)) return undefined
  const loaded = loadConfig(diskFiles(process.getuid?.() ?? 0), { server, access })
  return loaded.ok ? stanzasRunCommands(loaded.value) : loaded.failure.detail
}

/** @param unit the text of the usual unit. */
export function withoutLimits(unit: string): string {
  const made: string[] = []
  let comments: string[] = []
  let isTold = false
  for (const line of unit.replace(TASKS, 'TasksMax=1024').split('\n')) {
    if (line.startsWith('#')) {
      comments.push(line)
      continue
    }
    if (LIMITS.test(line)) {
      if (!isTold) made.push(...COMMENT)
      isTold = true
    } else made.push(...comments, line)
    comments = []
  }
  return [...made, ...comments].join('\n')
}
