/** An event in plain words: what happened, to whom, and why. Pure. The texts in it may come from strangers. */
import type { LogEvent } from '../api.ts'
import { reasonOf } from './reasons.ts'

export type Tone = 'good' | 'bad' | 'warn' | 'plain'

export interface Told {
  readonly word: string
  readonly tone: Tone
  readonly sentence: string
}

/** Events that tell of the firewall and the network: view “Mends”. */
export const MENDS = [
  'firewall mended',
  'rule removed',
  'rules removed',
  'host firewall',
  'host firewall mended',
  'interface',
  'interface mended',
  'addresses',
] as const

const SENTENCES: Readonly<Record<string, string>> = {
  ready: 'The server receives packets.',
  reload: 'The server has read its files again.',
  stopping: 'The server ends.',
  control: 'Somebody asked the server for something.',
  signal: 'The server got a signal.',
  'receiver lost': 'The process that reads packets has ended. The server starts another one.',
  'executor lost': 'The process that runs commands has ended. The server starts another one.',
  'gnupg lost': 'The process that runs gpg has ended. The server starts another one.',
  'gnupg ready': 'Packets by GnuPG can be read.',
  'firewall mended': 'Another program had changed ghostport’s rules. They are as before.',
  'rule removed': 'A repair removed a rule that no grant has.',
  'rules removed': 'A repair removed more rules than are listed.',
  'host firewall': 'A rule of the host opens or drops what it should not.',
  'host firewall mended': 'The fault in the rules of the host is over.',
  interface: 'Something is wrong with an interface.',
  'interface mended': 'The fault of the interface is over.',
  addresses: 'Addresses of this host came or went.',
  'interfaces not watched': 'The kernel does not tell of the interfaces.',
  gate: 'A grant of another node made trouble here.',
  gates: 'Other nodes do not know of a grant.',
  'cluster usable': 'The cluster answers.',
  'cluster unusable': 'The cluster does not answer. Knocks are refused meanwhile.',
  'cluster lost': 'The process that asks the cluster has ended. The server starts another one.',
  'cluster renewed': 'The server has read the files of the cluster again.',
  'cluster records': 'The connection to the records of the cluster has changed.',
  'cluster users': 'The users of the cluster have changed here, or cannot.',
  'grant ended': 'A grant ended early.',
  'grants ended': 'Grants ended early.',
  'grant found': 'A grant was open when the server started.',
  'grants found': 'Grants were open when the server started.',
  'grants lost': 'Grants had to end: their records cannot be read, or no place is left.',
  suppressed: 'More packets were refused than are listed.',
  audit: 'A line was written to the audit log.',
  expiry: 'A grant ended.',
}

export function toldOf(event: LogEvent): Told {
  const { verdict, code } = event
  if (verdict === 'granted') {
    const closes = text(event['closes'])
    if (closes !== undefined) return { word: 'Closed', tone: 'good', sentence: closedSentence(closes, event) }
    return { word: 'Granted', tone: 'good', sentence: grantedSentence(event) }
  }
  if (verdict === 'refused') return { word: 'Refused', tone: 'bad', sentence: refusedSentence(event) }
  const known = Object.hasOwn(SENTENCES, event.event) ? SENTENCES[event.event] : undefined
  const reason = code === undefined ? undefined : reasonOf(code)
  const sentence = [known ?? (reason === undefined ? '' : capital(`${reason}.`)), event.detail ?? text(event['text'])]
    .filter(Boolean)
    .map((words) => capital(words ?? ''))
    .join(' ')
  return { word: capital(event.event), tone: toneOf(event.level), sentence }
}

function grantedSentence({ grant, for: address, lifetime, ...event }: LogEvent): string {
  const parts = [
    grant === undefined ? startedWords(event) : `${grant} is open`,
    address !== undefined && ` for ${address}`,
    typeof lifetime === 'number' && `, ${span(lifetime)}`,
  ].filter(Boolean)
  const node = text(event['by'])
  const from = node === undefined ? '' : ` Node ${node} of the cluster granted it.`
  const shut = event['shutBy'] === undefined ? '' : ' The rules of the host still drop it.'
  return `${parts.join('')}.${from}${shut}`
}

/** What a grant is not: a command, or a cycle of commands. */
function startedWords(event: { readonly [field: string]: unknown }): string {
  const [command, cycle] = [text(event['command']), text(event['cycle'])]
  if (command !== undefined) return `A command runs (${command})`
  return cycle === undefined ? 'Something was opened' : `Commands open ${cycle}`
}

function closedSentence(closes: string, { for: address, ended }: LogEvent): string {
  const what = closes === 'all' ? 'All that its keys opened' : closes
  const many = typeof ended === 'number' ? `: ${ended} ${ended === 1 ? 'grant' : 'grants'} ended` : ''
  return `${what} was closed by the client${address === undefined ? '' : `, for ${address}`}${many}.`
}

function refusedSentence({ code, detail, ...event }: LogEvent): string {
  const reason = (code === undefined ? undefined : reasonOf(code)) ?? text(event['reason']) ?? code
  if (reason === undefined) return detail ?? 'No reason is given.'
  return detail === undefined ? `${capital(reason)}.` : `${capital(reason)}: ${detail}`
}

/** `90 s`, `5 min`, `2 h`. @param seconds */
export function span(seconds: number): string {
  if (seconds >= 7200 && seconds % 3600 === 0) return `${seconds / 3600} h`
  if (seconds >= 120 && seconds % 60 === 0) return `${seconds / 60} min`
  return `${seconds} s`
}

export function capital(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1)
}

function toneOf(level: string): Tone {
  return level === 'error' ? 'bad' : level === 'warning' ? 'warn' : 'plain'
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A field of an event as text: each is shown, also those that this page does not know. */
export function fieldText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
