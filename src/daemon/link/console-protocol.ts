/**
 * What the console may ask of the warden: one JSON value a line, and one line for an answer. The console reads what
 * browsers send, so an attacker may control it: each request is read field by field. The warden judges again whether
 * what it asks for may be done.
 */
import { parseStanzaName } from '../../access/stanza-name.ts'
import { either, integer, literal, mapped, parsed, printableAscii, type Read, record, text } from '../../json-reader.ts'
import { parseDeviceFingerprint } from '../../packet/web-invitation.ts'
import { seconds } from '../../units.ts'

/** Who asks, by the console's word: the name that somebody logged in with, and the address. For the audit log. */
const accountName = mapped(text({ max: 64 }), (read) => (/^[A-Za-z0-9][A-Za-z0-9@._-]*$/.test(read) ? read : undefined))
const from = mapped(text({ max: 64 }), (read) => (/^[0-9A-Fa-f.:]+$/.test(read) ? read : undefined))
const by = record({ name: accountName }, { from })
const name = parsed(parseStanzaName)
const grant = mapped(text({ max: 10 }), (read) => (/^g:[0-9a-f]{8}$/.test(read) ? read : undefined))
/** A word of a command line that is no option, and that cannot end a line of a file. */
const word = mapped(printableAscii({ max: 200 }), (read) =>
  /^[A-Za-z0-9[][^\s;#'"\\]*$/.test(read) ? read : undefined,
)
/** Of a gateway: `https://gate.example.org:8443`. */
const url = mapped(printableAscii({ max: 200 }), (read) =>
  /^https:\/\/[A-Za-z0-9.:[\]-]+$/.test(read) ? read : undefined,
)
/** Of a device: `1234-5678-9012-3456`. */
const fingerprint = (text: string) => {
  const read = parseDeviceFingerprint(text)
  return read === undefined ? { ok: false as const } : { ok: true as const, value: read }
}
const span = mapped(text({ max: 10 }), (read) => (/^[1-9][0-9]{0,5}[mhd]$/.test(read) ? read : undefined))

/** What somebody does at the console itself, by its word. */
export const ACCOUNT_DEEDS = [
  ...['login by link', 'login by second factor', 'login refused', 'step-up refused'],
  ...['app for codes added', 'app for codes removed', 'passkey added', 'passkey removed'],
] as const
export type AccountDeed = (typeof ACCOUNT_DEEDS)[number]

const request = either(
  record({ ask: literal('status') }, {}),
  record({ ask: literal('uses') }, {}),
  record({ ask: either(literal('users'), literal('policy'), literal('doctor')) }, {}),
  record({ ask: literal('audit') }, {}),
  record({ ask: literal('events'), after: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) }, {}),
  record(
    { ask: literal('account'), did: either(...ACCOUNT_DEEDS.map((word) => literal(word))) },
    // `missing`: deeds before it that have no line.
    { name: accountName, from, missing: integer({ min: 1, max: 1_000_000_000 }) },
  ),
  record({ ask: literal('revoke'), word, by }, {}),
  record({ ask: literal('extend'), grant, seconds: mapped(integer({ min: 1, max: 86_400 }), seconds), by }, {}),
  record({ ask: literal('reload'), by }, {}),
  record({ ask: either(literal('user disable'), literal('user enable'), literal('user remove')), name, by }, {}),
  record({ ask: literal('user add'), name, open: word, server: word, by }, { source: word, expire: span, time: span }),
  record({ ask: literal('user rotate'), name, server: word, by }, { overlap: span }),
  record(
    { ask: literal('invite'), name, open: word, server: word, by },
    { source: word, expire: span, for: span, gateway: url, gatewayTarget: word, gatewayFingerprint: word },
  ),
  record({ ask: literal('invite list'), by }, {}),
  record({ ask: literal('invite confirm'), name, fingerprint: parsed(fingerprint), by }, {}),
  record({ ask: literal('invite cancel'), name, by }, {}),
)

export type ConsoleRequest = Read<typeof request>
export type ConsoleAsk = ConsoleRequest['ask']
/** Who asked, by the console's word. */
export type ConsoleActor = Read<typeof by>

/** What somebody must let a console do besides looking: CONSOLE_RIGHTS. */
export const CONSOLE_RIGHTS = ['revoke', 'extend', 'reload', 'users'] as const
export type ConsoleRight = (typeof CONSOLE_RIGHTS)[number]

/** A line from the warden. `code`: of docs/ERRORS.md. */
export type ConsoleAnswer =
  | { readonly done: true; readonly value: unknown }
  | { readonly done: false; readonly code: string; readonly detail: string }

/** A line of the log of the server, with its place in the stream. */
export interface ConsoleEvent {
  readonly number: number
  readonly time: string
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

/** What `events` answers. */
export interface ConsoleEvents {
  readonly events: readonly ConsoleEvent[]
  /** To be asked for next. */
  readonly next: number
  /** Events between `after` and the first of these that are not kept any more. */
  readonly lost: number
}

/** @returns undefined for what is no request. Never throws. */
export function parseConsoleRequest(line: string): ConsoleRequest | undefined {
  try {
    return request(JSON.parse(line))
  } catch {
    return undefined
  }
}

/** @returns what the request needs besides looking; undefined for those that only look. */
export function rightFor(ask: ConsoleAsk): ConsoleRight | undefined {
  switch (ask) {
    case 'status':
    case 'uses':
    case 'events':
    case 'users':
    case 'policy':
    case 'doctor':
    case 'audit':
    case 'account':
      return undefined
    case 'revoke':
    case 'extend':
    case 'reload':
      return ask
    case 'user add':
    case 'user rotate':
    case 'user disable':
    case 'user enable':
    case 'user remove':
    case 'invite':
    // It asks gateways.
    case 'invite list':
    case 'invite confirm':
    case 'invite cancel':
      return 'users'
    default:
      return ask satisfies never
  }
}
