/** The environment of a program that a knock starts: nothing of this process, and what is known of the request. */
import type { CommandFacts } from '../access/command.ts'
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
