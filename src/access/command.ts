/**
 * What a stanza may have run: commands that a client sends, and cycles, which are commands that open and close instead
 * of the firewall. Words are split at blanks, and no shell ever reads them (docs/COMMANDS.md).
 */
import { splitWords, type Words } from '../bytes/words.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Username } from '../packet/message.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Brand, Seconds } from '../units.ts'
import { type CommandPattern, matchesPattern } from './command-pattern.ts'
import type { StanzaName } from './stanza-name.ts'

/** The name of a user or of a group on the server’s host. */
export type AccountName = Brand<string, 'AccountName'>

/** Who a program runs as, by name. Absent: the user of the server, root. */
export interface RunAs {
  readonly user?: AccountName
  /** Absent: the group of the user. */
  readonly group?: AccountName
}

/** ENABLE_CMD_EXEC: the stanza runs what its clients send. */
export interface CommandRule {
  /** CMD_EXEC_USER and CMD_EXEC_GROUP. */
  readonly runAs: RunAs
  /** ENABLE_CMD_SUDO_EXEC: through sudo, as this user and group. */
  readonly sudo?: RunAs
  /** CMD_REGEX. Absent: any command, with a warning at each start. */
  readonly pattern?: CommandPattern
  /** Longer commands are denied, also those that the pattern allows. Absent: all that fits a packet. */
  readonly mostWords?: number
}

/** What is known of a request, for the environment of a program and for the words of a cycle. */
export interface CommandFacts {
  /** Whom the request is for. */
  readonly source: IpAddress
  readonly packetSource: IpAddress
  /** Absent if the way of capture does not report it. */
  readonly packetDestination?: IpAddress
  readonly username: Username
  /** The stanza’s name; else its number. */
  readonly stanza: StanzaName | `${number}`
}

/** @returns the words of a command that the rule allows; else why not. */
export function judgeCommand(
  rule: CommandRule | undefined,
  command: string,
): Result<Words, Failure<'ACCESS_COMMAND_DENIED'>> {
  if (rule === undefined)
    return refuse('ACCESS_COMMAND_DENIED', 'the stanza runs no commands: ENABLE_CMD_EXEC is not Y')
  if (rule.pattern !== undefined && !matchesPattern(rule.pattern, command))
    return refuse('ACCESS_COMMAND_DENIED', `“${command}” does not match CMD_REGEX`)
  const words = splitWords(command)
  if (words === undefined) return refuse('ACCESS_COMMAND_DENIED', 'the command has no words')
  if (words.length > (rule.mostWords ?? Number.POSITIVE_INFINITY))
    return refuse(
      'ACCESS_COMMAND_DENIED',
      `the command has ${words.length} words, and fwknopd runs at most ${rule.mostWords}`,
    )
  return ok(words)
}

/** What is put before the words of a command, so that sudo runs it. @param sudo path of the program. */
export function throughSudo(words: Words, { user, group }: RunAs, sudo: string): Words {
  const as = [...(user === undefined ? [] : ['-u', user]), ...(group === undefined ? [] : ['-g', group])]
  // Without “--”, a command could begin with options of sudo’s.
  return [sudo, '-n', ...as, '--', ...words]
}

/** SUDO_EXE and CMD_EXEC_TIMEOUT. */
export interface CommandSettings {
  readonly sudo: string
  readonly timeout: Seconds
}
