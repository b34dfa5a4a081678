/** All options of `ghostport invite`, and which of them each action takes. Those of the new user are of `user add`. */
import { configFileOptions } from '../server/config-source.ts'
import type { OptionValues } from '../terminal/parse-command-line.ts'
import { options as ofUser } from '../user/options.ts'

const of = <const T extends { readonly help: string }>(option: T): T => ({
  ...option,
  help: option.help.replace(/^add(, rotate)?: /, ''),
})

export const options = {
  ...configFileOptions,
  file: { value: 'FILE', help: 'write the sealed profile into a new FILE, and keep nothing of it here' },
  for: {
    value: 'TIME',
    help: 'how long the invitation is good: 15m (the default), 12h, 30d; with --file, 1d is the default',
  },
  open: of(ofUser.open),
  source: of(ofUser.source),
  'nat-targets': of(ofUser['nat-targets']),
  nat: of(ofUser.nat),
  time: of(ofUser.time),
  'max-time': of(ofUser['max-time']),
  'spa-port': of(ofUser['spa-port']),
  expire: of(ofUser.expire),
  server: of(ofUser.server),
  alias: of(ofUser.alias),
  gateway: {
    value: 'URL',
    help: 'a link that is claimed in a browser, through this gateway; with --file: the profile knocks through it',
  },
  'gateway-target': of(ofUser['gateway-target']),
  'gateway-fingerprint': { value: 'SHA256', help: 'of the certificate of the gateway, where that signs itself' },
  'gateway-token': {
    value: 'FILE',
    help: 'the token of the gateway, for root alone (gateway-token, beside the server’s settings)',
  },
  fingerprint: { value: 'DIGITS', help: 'confirm: what the device of the person shows, in place of the question' },
  anyway: { help: 'confirm: although no knock of this user is known' },
  'show-secrets': { help: 'print the link or the secret although standard output is no terminal; with --json: in it' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

export type Given = OptionValues<typeof options>

/** The words that are no names. */
export const ACTIONS = ['list', 'claim', 'confirm', 'cancel'] as const
export type Action = 'make' | (typeof ACTIONS)[number]

const FILES = ['config-file', 'access-file', 'json'] as const
const STANZA = ['open', 'source', 'nat-targets', 'nat', 'time', 'max-time', 'spa-port', 'expire'] as const

export const TAKEN = {
  make: [
    ...FILES,
    ...STANZA,
    ...(['file', 'for', 'server', 'alias', 'show-secrets'] as const),
    ...(['gateway', 'gateway-target', 'gateway-fingerprint', 'gateway-token'] as const),
  ],
  list: [...FILES, 'gateway-token'],
  claim: FILES,
  confirm: [...FILES, 'anyway', 'fingerprint', 'gateway-token'],
  cancel: [...FILES, 'gateway-token'],
} as const satisfies Readonly<Record<Action, readonly (keyof Given)[]>>
