/** The environment of a program that a knock starts: nothing of this process, and what is known of the request. */
import type { CommandFacts } from '../access/command.ts'
import type { CycleFacts } from '../access/cycle.ts'
import type { UnixSeconds } from '../units.ts'
import type { Login } from './accounts.ts'

/** Where programs are looked for. */
export const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type Environment = Readonly<Record<string, string>>

/** @param login undefined for programs of root. */
export function environmentFor(facts: Environment, login: Login | undefined): Environment {
  const { name, home } = login ?? { name: 'root', home: '/root' }
  return { PATH: PROGRAM_PATH, LC_ALL: 'C', HOME: home, USER: name, LOGNAME: name, SHELL: '/bin/sh', ...facts }
}

/** `GHOSTPORT_SRC` and the others, without those that are not known. */
export function factVariables(facts: CommandFacts): Environment {
  return {
    GHOSTPORT_SRC: facts.source,
    GHOSTPORT_PKT_SRC: facts.packetSource,
    ...(facts.packetDestination !== undefined && { GHOSTPORT_DST: facts.packetDestination }),
    GHOSTPORT_USER: facts.username,
    GHOSTPORT_STANZA: facts.stanza,
  }
}

/** The same for a cycle. @param until the moment of the close. */
export function cycleVariables(facts: CycleFacts, until: UnixSeconds): Environment {
  const { port, seconds } = facts
  return {
    ...factVariables(facts),
    GHOSTPORT_PROTO: port.protocol === 'tcp' ? '6' : '17',
    GHOSTPORT_PROTOCOL: port.protocol,
    GHOSTPORT_PORT: `${port.port}`,
    ...(port.nat !== undefined && { GHOSTPORT_NAT_HOST: port.nat.host, GHOSTPORT_NAT_PORT: `${port.nat.port}` }),
    GHOSTPORT_CLIENT_TIMEOUT: `${seconds}`,
    GHOSTPORT_TIMEOUT: `${until}`,
  }
}
