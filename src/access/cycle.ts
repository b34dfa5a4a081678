/**
 * Command cycles: programs that open and close a port, instead of the firewall. The words of a cycle may hold values of
 * the request. A value never becomes several words, and what it holds is never read again (docs/COMMANDS.md).
 */

import { splitWords, type Words } from '../bytes/words.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Protocol } from '../packet/message.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Port, Seconds, UnixSeconds } from '../units.ts'
import type { CommandFacts, RunAs } from './command.ts'

/** The values that a word may hold: fwknop’s names, and ghostport’s own. */
export const VALUE_NAMES = [
  'IP',
  'SRC',
  'PKT_SRC',
  'DST',
  'PROTO',
  'PROTOCOL',
  'PORT',
  'NAT_HOST',
  'NAT_PORT',
  'CLIENT_TIMEOUT',
  'TIMEOUT',
  'USER',
  'STANZA',
] as const
export type ValueName = (typeof VALUE_NAMES)[number]

/** Text, or a value. */
type Piece = string | { readonly value: ValueName }
/** One word: its pieces in order. */
type WordTemplate = readonly Piece[]
/** A command with values to be filled in. At least one word. Plain data. */
export type Template = readonly [WordTemplate, ...WordTemplate[]]

/** CMD_CYCLE_OPEN and what belongs to it. */
export interface CycleRule {
  readonly open: Template
  /** CMD_CYCLE_CLOSE. Absent: NONE. */
  readonly close?: Template
  /** CMD_CYCLE_TIMER: when the close runs if the client does not say. */
  readonly timer: Seconds
  /** CMD_CYCLE_USER and CMD_CYCLE_GROUP (ghostport's own). */
  readonly runAs: RunAs
}

/** One port of a cycle. */
export interface CyclePort {
  readonly protocol: Protocol
  /** The port that was asked for: with NAT, the public one. */
  readonly port: Port
  /** Where NAT leads. */
  readonly nat?: { readonly host: IpAddress; readonly port: Port }
}

/** What the words of one cycle are made of. */
export interface CycleFacts extends CommandFacts {
  readonly port: CyclePort
  /** From the knock to the close. */
  readonly seconds: Seconds
}

/** The longest first: `$PKT_SRC` begins with no other, but `$PROTOCOL` begins with `$PROTO`. */
const BY_LENGTH = [...VALUE_NAMES].sort((a, b) => b.length - a.length)

/** fwknopd’s limit, in characters. */
const LONGEST_TEMPLATE = 255

type TemplateFailure = Failure<'CONFIG_INVALID_VALUE'>

/**
 * Reads a command with values. As in fwknop, the longest name after `$` counts, and text may follow at once: `$PORTx`
 * is the port and an x. `${PORT}` is read too. A `$` before no letter is a `$`.
 * @returns CONFIG_INVALID_VALUE for a name that is none. Never throws.
 */
export function parseTemplate(text: string): Result<Template, TemplateFailure> {
  if (text.length > LONGEST_TEMPLATE)
    return refuse(
      'CONFIG_INVALID_VALUE',
      `the command is too long: it has ${text.length} characters, and ${LONGEST_TEMPLATE} are allowed, as in fwknopd. Put it into a script`,
    )
  const words = splitWords(text)
  if (words === undefined) return refuse('CONFIG_INVALID_VALUE', 'the command has no words')
  const [first, ...more] = words.map(parseWord)
  if (first === undefined) throw new Error('words without a word')
  if (!first.ok) return first
  const read: WordTemplate[] = []
  for (const word of more) {
    if (!word.ok) return word
    read.push(word.value)
  }
  if (first.value.some((piece) => typeof piece !== 'string'))
    return refuse('CONFIG_INVALID_VALUE', 'the program must not depend on the request: its name has a “$”')
  return ok([first.value, ...read])
}

/** A command as it may be written: with one blank between words. */
export function formatTemplate(template: Template): string {
  const pieces = template.map((word) => word.map((piece) => (typeof piece === 'string' ? piece : `$${piece.value}`)))
  return pieces.map((word) => word.join('')).join(' ')
}

function parseWord(word: string): Result<WordTemplate, TemplateFailure> {
  const pieces: Piece[] = []
  let text = ''
  for (let at = 0; at < word.length; ) {
    const rest = word.slice(at)
    if (!/^\$[A-Za-z_{]/.test(rest)) {
      text += rest.charAt(0)
      at++
      continue
    }
    const braced = /^\$\{([A-Z_]*)\}/.exec(rest)
    const name =
      VALUE_NAMES.find((known) => known === braced?.[1]) ??
      (braced ? undefined : BY_LENGTH.find((known) => rest.startsWith(`$${known}`)))
    if (name === undefined) return UNKNOWN_VALUE
    if (text !== '') pieces.push(text)
    text = ''
    pieces.push({ value: name })
    at += braced?.[0].length ?? name.length + 1
  }
  if (text !== '') pieces.push(text)
  return ok(pieces)
}

/** The name is not shown: the line may hold a key by mistake. */
const UNKNOWN_VALUE = refuse(
  'CONFIG_INVALID_VALUE',
  `a word has a “$” with no name of a value after it: a command may have ${VALUE_NAMES.map((known) => `$${known}`).join(' ')}`,
)

/**
 * Whether both commands can be made for these facts. A value that the request does not have makes no command: an empty
 * word could mean “all” to a program.
 * @returns ACCESS_REQUEST_INVALID if not.
 */
export function judgeCycle(rule: CycleRule, facts: CycleFacts): Result<void, Failure<'ACCESS_REQUEST_INVALID'>> {
  const values = valuesOf(facts, 0 as UnixSeconds)
  for (const template of rule.close === undefined ? [rule.open] : [rule.open, rule.close]) {
    const words = fillTemplate(template, values)
    if (!words.ok) return words
  }
  return ok(undefined)
}

type Values = { readonly [Name in ValueName]: string | undefined }

/** @param until the moment of the close. */
export function valuesOf({ port, seconds, ...facts }: CycleFacts, until: UnixSeconds): Values {
  return {
    IP: facts.source,
    SRC: facts.source,
    PKT_SRC: facts.packetSource,
    // As fwknopd has it where a UDP socket does not tell.
    DST: facts.packetDestination ?? '0.0.0.0',
    PROTO: port.protocol === 'tcp' ? '6' : '17',
    PROTOCOL: port.protocol,
    PORT: `${port.port}`,
    NAT_HOST: port.nat?.host,
    NAT_PORT: port.nat === undefined ? undefined : `${port.nat.port}`,
    CLIENT_TIMEOUT: `${seconds}`,
    TIMEOUT: `${until}`,
    USER: facts.username,
    STANZA: facts.stanza,
  }
}

/** Values that differ between knocks for the same port of the same client. */
const PERSONAL = ['USER', 'STANZA', 'PKT_SRC', 'DST'] as const

/**
 * What the commands say of the knock besides its client, port and time: commands with other words open something else.
 * @returns name and value of each such value that a command holds.
 */
export function personalValues({ open, close = [[]] }: CycleRule, facts: CycleFacts): readonly string[] {
  const pieces = [...open, ...close].flat()
  const values = valuesOf(facts, 0 as UnixSeconds)
  return PERSONAL.filter((name) => pieces.some((piece) => typeof piece !== 'string' && piece.value === name)).flatMap(
    (name) => [name, values[name] ?? ''],
  )
}

/** Why a value may be missing. */
const MISSING: Partial<Record<ValueName, string>> = {
  NAT_HOST: 'the request asks for no NAT',
  NAT_PORT: 'the request asks for no NAT',
}

/** @returns the words; ACCESS_REQUEST_INVALID if a value is missing, or would make an option of a word. */
export function fillTemplate(template: Template, values: Values): Result<Words, Failure<'ACCESS_REQUEST_INVALID'>> {
  const words: string[] = []
  for (const word of template) {
    let text = ''
    for (const piece of word) {
      if (typeof piece === 'string') {
        text += piece
        continue
      }
      const value = values[piece.value]
      if (value === undefined)
        return refuse(
          'ACCESS_REQUEST_INVALID',
          `the command needs $${piece.value}, and ${MISSING[piece.value] ?? 'it is not known'}`,
        )
      if (text === '' && value.startsWith('-'))
        return refuse(
          'ACCESS_REQUEST_INVALID',
          `$${piece.value} is “${value}”, which a program could take for an option`,
        )
      text += value
    }
    words.push(text)
  }
  const [program = '', ...more] = words
  return ok([program, ...more])
}
