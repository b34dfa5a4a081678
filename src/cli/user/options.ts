/** All options of `ghostport user`, and which of them each action takes. */

import { nodesFileOption } from '../node/nodes-file.ts'
import { configFileOptions } from '../server/config-source.ts'
import type { OptionValues } from '../terminal/parse-command-line.ts'
import type { Reach } from './access-files.ts'

export const options = {
  ...configFileOptions,
  ...nodesFileOption,
  nodes: {
    value: 'NODES',
    help: 'add, rotate: one secret for these nodes of nodes.conf: names and patterns, such as web-*,db-1',
  },
  'bundle-folder': { value: 'FOLDER', help: 'add, rotate: where the bundles for the other nodes are written (.)' },
  open: {
    value: 'PROTO/PORT',
    help: 'add: what the user may open: tcp/22,udp/53 (what all other stanzas open, if they agree)',
  },
  source: { value: 'NETWORKS', help: 'add: from where packets may come: addresses, networks or ANY (ANY)' },
  'nat-targets': { value: 'TARGETS', help: 'add: where requests with NAT may lead: local:22, 10.0.0.0/24:443' },
  nat: {
    value: 'HOST[:PORT]',
    help: 'add, rotate: the profile asks for this inner host. --nat-targets is the same, if it is not given',
  },
  time: { value: 'SECONDS', help: 'add: how long a grant lasts if the client does not say (FW_ACCESS_TIMEOUT)' },
  'max-time': { value: 'SECONDS', help: 'add: how long a grant lasts at most (MAX_FW_TIMEOUT)' },
  'spa-port': {
    value: 'PORT',
    help: 'add: the user knocks at a port of their own (SPA_PORT), so that a server for thousands tries few keys',
  },
  expire: {
    value: 'WHEN',
    help: 'add: when the user ends: 2027-01-31 (that midnight, here), or 30d, 12h, 90m from now',
  },
  server: { value: 'HOST', help: 'add, rotate: the server, as clients reach it (the address of this session or host)' },
  alias: { value: 'NAME', help: 'add, rotate: the name of the stanza in the client’s rc file (that of --server)' },
  gateway: {
    value: 'URL',
    help: 'add, rotate: the profile knocks through this gateway (docs/GATEWAY.md); several with commas',
  },
  'gateway-target': { value: 'ID', help: 'add, rotate: the name of this server at the gateway' },
  qr: {
    value: 'WHAT',
    help: 'add, rotate: the QR code: android (keys for Fwknop2; the default), profile (the default with --gateway), or none',
  },
  overlap: { value: 'TIME', help: 'rotate: how long the old keys open too: 7d (default), 12h, or none' },
  'show-secrets': { help: 'add, rotate: print the keys although standard output is no terminal; with --json: in it' },
  'profile-file': { value: 'FILE', help: 'add, rotate: write the profile into a new FILE that only you can read' },
  local: { help: 'the users of this node’s own access.conf, where CLUSTER_USERS shares those of the cluster' },
  all: { help: 'publish: all users of this node' },
  except: {
    value: 'NAMES',
    help: 'publish --all: these stay in access.conf, such as the administrators’ way in; several with commas',
  },
  copy: { help: 'publish: what this node has last had of the cluster becomes its newest state (docs/CLUSTER.md)' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

export type Given = OptionValues<typeof options>

/** `--local` */
export function reachOf({ local }: Partial<Pick<Given, 'local'>>): Reach {
  return local === undefined || local === 0 ? 'all' : 'local'
}

const ANYWHERE = ['config-file', 'access-file', 'json'] as const
const FILES = [...ANYWHERE, 'local'] as const
const FLEET = ['nodes', 'nodes-file', 'bundle-folder'] as const
const PROFILE = ['server', 'alias', 'gateway', 'gateway-target', 'qr', 'show-secrets', 'profile-file'] as const

export const ACTIONS = {
  add: [
    ...FILES,
    ...PROFILE,
    ...FLEET,
    'open',
    'source',
    'nat-targets',
    'nat',
    'time',
    'max-time',
    'spa-port',
    'expire',
  ],
  list: FILES,
  show: FILES,
  rotate: [...FILES, ...PROFILE, ...FLEET, 'nat', 'overlap', 'open'],
  import: [...ANYWHERE, 'nodes-file', 'open', 'source', 'expire'],
  publish: [...ANYWHERE, 'all', 'except', 'copy'],
  disable: FILES,
  enable: FILES,
  remove: FILES,
} as const satisfies Readonly<Record<string, readonly (keyof Given)[]>>

export type Action = keyof typeof ACTIONS
