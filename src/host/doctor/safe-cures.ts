/**
 * The commands that `ghostport doctor --fix` may run. The list is closed, and a check can only choose from it. None of
 * them opens a port, shuts one, takes a key, or replaces what somebody wrote. So the rules of other programs, sshd, the
 * gate, and changes that wait for a confirmation are never mended by it.
 */

export type SafeCure =
  /** Only of a server that runs: a boot then does what is in force already. */
  | 'enable the server'
  | 'read unit files again'
  /** These two only where a start shuts no port: looks/service-start.ts. */
  | 'start the server'
  | 'restart the server'
  | 'ask time servers'
  /** Of a file that only its owner can change. */
  | { readonly hide: string }

/** A command line that mends a finding. `safe`: `ghostport doctor --fix` may run it. */
export interface MendingCommand {
  readonly command: string
  readonly safe?: SafeCure
}

/** The program and its arguments. */
export function argvOf(cure: SafeCure): readonly [string, ...string[]] {
  if (typeof cure === 'object') return ['chmod', '600', cure.hide]
  switch (cure) {
    case 'enable the server':
      return ['systemctl', 'enable', 'ghostport']
    case 'read unit files again':
      return ['systemctl', 'daemon-reload']
    case 'start the server':
      return ['systemctl', 'start', 'ghostport']
    case 'restart the server':
      return ['systemctl', 'restart', 'ghostport']
    case 'ask time servers':
      return ['timedatectl', 'set-ntp', 'true']
    default:
      return cure satisfies never
  }
}

/** @param isSafe else the command is only shown. */
export function mendedBy(safe: SafeCure, isSafe = true): MendingCommand {
  const command = argvOf(safe).join(' ')
  return isSafe ? { command, safe } : { command }
}
