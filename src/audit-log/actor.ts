/** Who runs this command, for the audit log: the kernel's word about the user, and what the session says of itself. */
import { readFileSync, readlinkSync } from 'node:fs'
import { parseAddress } from '../packet/address.ts'
import { readProcessStat } from '../system/process-stat.ts'
import { type AuditActor, parseConsoleActor } from './entry.ts'

/** `(uid_t) -1`: no login. */
const UNSET = 0xffff_ffff
/** sudo, su and shells between this process and sshd's. */
const MOST_ANCESTORS = 12

/** The user of this process, the user who logged in, the terminal, and the address that the session came from. */
export function ownActor(): AuditActor {
  const forConsole = consoleActor()
  if (forConsole !== undefined) return forConsole
  const uid = process.getuid?.()
  const loginUid = Number(readOrNothing('/proc/self/loginuid') || UNSET)
  const from = [terminalName(), sessionAddress()].filter((part) => part !== undefined).join(', from ')
  return {
    via: 'command',
    ...(uid !== undefined && { uid }),
    ...(Number.isInteger(loginUid) && loginUid < UNSET && { loginUid }),
    ...(from !== '' && { from }),
  }
}

/**
 * The server runs this command for the console, and says who asked there. Only root and this user can set the variable,
 * and the line says “console” in every case: nobody gets another's name by it.
 */
function consoleActor(): AuditActor | undefined {
  const given = process.env['GHOSTPORT_AUDIT_ACTOR']
  if (given === undefined) return undefined
  const actor = parseConsoleActor(given)
  const uid = process.getuid?.()
  return {
    via: 'console',
    ...(uid !== undefined && { uid }),
    name: actor?.name ?? '?',
    ...(actor?.from !== undefined && { from: actor.from }),
  }
}

function terminalName(): string | undefined {
  try {
    const [name] = [0, 1, 2].flatMap((fd) => {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return /^\/dev\/(pts\/\d+|tty\w*|console)$/.test(target) ? [target.slice('/dev/'.length)] : []
    })
    return name
  } catch {
    return undefined
  }
}

/** sshd sets SSH_CONNECTION, and sudo removes it: so it is looked for in the processes that started this one. */
function sessionAddress(): string | undefined {
  let pid = process.pid
  for (let i = 0; i < MOST_ANCESTORS && pid > 1; i++) {
    const variable = readOrNothing(`/proc/${pid}/environ`)
      .split('\0')
      .find((one) => one.startsWith('SSH_CONNECTION='))
    const address = parseAddress(variable?.slice('SSH_CONNECTION='.length).split(' ')[0] ?? '')
    if (address.ok) return address.value
    const stat = readProcessStat(pid)
    if (stat === undefined) return undefined
    pid = stat.parent
  }
  return undefined
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
