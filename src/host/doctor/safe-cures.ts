/**
 * The commands that `ghostport doctor --fix` may run. The list is closed, and a check can only choose from it. None of
 * them opens a port, shuts one, takes a key, or replaces what somebody wrote. So the rules of other programs, sshd, the
 * gate, and changes that wait for a confirmation are never mended by it.
 */

export const safeCommands = {
  /** Only of a server that runs: a boot then does what is in force already. */
  'enable the server': ['systemctl', 'enable', 'ghostport'],
  'read unit files again': ['systemctl', 'daemon-reload'],
  /** These two only where a start shuts no port: looks/service-start.ts. */
  'start the server': ['systemctl', 'start', 'ghostport'],
  'restart the server': ['systemctl', 'restart', 'ghostport'],
  'ask time servers': ['timedatectl', 'set-ntp', 'true'],
} as const

export type SafeCure =
  | keyof typeof safeCommands
  /** A file that only its owner can change. */
  | { readonly hide: string }

/** A command line that mends a finding. `safe`: `ghostport doctor --fix` may run it. */
export interface MendingCommand {
  readonly command: string
  readonly safe?: SafeCure
}

/** The program and its arguments. */
export function argvOf(cure: SafeCure): readonly [string, ...string[]] {
  return typeof cure === 'object' ? ['chmod', '600', cure.hide] : safeCommands[cure]
}

/** @param isSafe else the command is only shown. */
export function mendedBy(safe: SafeCure, isSafe = true): MendingCommand {
  const command = argvOf(safe).join(' ')
  return isSafe ? { command, safe } : { command }
}
