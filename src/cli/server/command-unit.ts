/** The unit of a server that runs commands: without the limits under which most commands cannot work. */
import { existsSync } from 'node:fs'
import { loadConfig } from '../../config/load.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { stanzasRunCommands } from '../../daemon/warden/executor-process/commands.ts'

/** What limits each process of the service, and so each command. */
const LIMITS =
  /^(CapabilityBoundingSet|NoNewPrivileges|Restrict(AddressFamilies|Namespaces|Realtime|SUIDSGID)|Protect[A-Za-z]+|Private[A-Za-z]+|LockPersonality|SystemCall[A-Za-z]+|UMask|MemoryDeny[A-Za-z]+)=/
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

/** The settings of the server, if there are any that can be read. */
function settingsOf(server: string, access: string): ServerConfig | undefined {
  if (!existsSync(server) || !existsSync(access)) return undefined
  const loaded = loadConfig(diskFiles(process.getuid?.() ?? 0), { server, access })
  return loaded.ok ? loaded.value.server : undefined
}

/**
 * @param unit the text of the usual unit.
 * @returns it for the server with these files: without what its settings cannot live with.
 */
export function suited(unit: string, server: string, access: string): string {
  if (wantsCommandUnit(server, access) === true) return withoutLimits(unit)
  const settings = settingsOf(server, access)
  const runsHooks = Object.keys(settings?.hooks?.programs ?? {}).length > 0
  const withUsers = runsHooks ? changingUsers(unit, ['CAP_SETUID', 'CAP_SETGID']) : unit
  // Without a compiler, the relay takes a third fewer connections.
  return settings?.firewall.kind === 'relay' ? withCompiler(withUsers) : withUsers
}

/**
 * The unit of a server that starts its receiver by itself, which is under the same rules: without a compiler it would
 * look at a fifth of the packets in the same time.
 */
export function withCompiler(unit: string): string {
  return unit.replaceAll(' --jitless ', ' ').replace(/(^#.*\n)*^MemoryDenyWriteExecute=.*\n/m, '')
}

/**
 * The unit of a server that has neither a receiver nor helpers of systemd: it starts them by itself, as other users.
 * @param unit the text of the usual unit, or one without its limits.
 */
export function withOwnProcesses(unit: string): string {
  return changingUsers(withCompiler(unit), ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'])
}

function changingUsers(unit: string, capabilities: readonly string[]): string {
  return unit.replace(/^(CapabilityBoundingSet=CAP_.* CAP_KILL).*$/m, `$1 ${capabilities.join(' ')}`)
}

/** @param unit the text of the usual unit. */
export function withoutLimits(unit: string): string {
  const made: string[] = []
  let comments: string[] = []
  let isTold = false
  for (const line of withCompiler(unit).replace(TASKS, 'TasksMax=1024').split('\n')) {
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
