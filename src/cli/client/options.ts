/** All options of `ghostport client`, and which of them each action takes. */
import type { OptionValues } from '../terminal/parse-command-line.ts'

export const options = {
  file: { value: 'FILE', help: 'add: read the profile from FILE, which only you may read' },
  name: { value: 'NAME', help: 'add: the name of the stanza, in place of that in the profile' },
  replace: { help: 'add: replace the settings of stanzas that are there' },
  server: { value: 'HOST[:PORT]', help: 'extend: the new node, as this device reaches it (NODE)' },
  'key-name': {
    value: 'NAME',
    help: 'extend: the key name of the node, if “ghostport node list” shows another than NODE',
  },
  fleet: { value: 'STANZA', help: 'extend: the fleet, where the rc file has several' },
  user: { value: 'NAME', help: 'extend: the name of the user on the node (that of the fleet)' },
  'bundle-file': { value: 'FILE', help: 'extend: write the bundle into a new FILE (USER.NODE.bundle)' },
  'gateway-fingerprint': {
    value: 'SHA256',
    help: 'add, for a link: of the certificate of its gateway, where that signs itself',
  },
  'rc-file': { value: 'FILE', help: 'FILE instead of ~/.fwknoprc' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

export type Given = OptionValues<typeof options>

export const ACTIONS = {
  add: ['file', 'name', 'replace', 'gateway-fingerprint', 'rc-file', 'json'],
  export: ['rc-file', 'json'],
  extend: ['server', 'key-name', 'fleet', 'user', 'bundle-file', 'rc-file', 'json'],
} as const satisfies Readonly<Record<string, readonly (keyof Given)[]>>

export type Action = keyof typeof ACTIONS
