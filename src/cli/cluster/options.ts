/** All options of `ghostport cluster`, and which of them each action takes. */
import type { OptionValues } from '../terminal/parse-command-line.ts'

export const options = {
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  etcd: {
    value: 'HOST[:PORT],…',
    help: 'init: the members of etcd, as all nodes reach them; the port is 2379 by default',
  },
  node: { value: 'NAME', help: 'init, join: the name of this node (the name of this host)' },
  user: { value: 'NAME', help: 'init: the user of etcd that the nodes log in as (ghostport-NAME)' },
  admin: { value: 'NAME', help: 'init: the user of etcd that may make that user (root)' },
  'admin-password-file': {
    value: 'FILE',
    help: 'init: the password of that administrator; it is asked for without this',
  },
  'ca-file': { value: 'FILE', help: 'init: who signs the certificates of etcd, as PEM (the list of Node.js)' },
  'certificate-file': { value: 'FILE', help: 'init, join: what this node shows to etcd, as PEM' },
  'key-file': { value: 'FILE', help: 'init, join: the key of that certificate' },
  users: { help: 'init, join: this node shares the users of the cluster (CLUSTER_USERS)' },
  plain: { help: 'init: without TLS, also to other hosts' },
  'no-login': { help: 'init: without a user, for an etcd that lets everybody in' },
  'dry-run': { help: 'init, join, leave: look at everything, say what would be done, and change nothing' },
  yes: { short: 'y', help: 'leave: ask nothing' },
  only: { value: 'CODE', repeatable: true, help: 'check: only this check; may be given several times' },
  days: { value: 'N', help: 'check: warn of a certificate that ends within so many days (30)' },
  strict: { help: 'check: exit status 1 for warnings too' },
  all: { help: 'check: also show what is good, and how that was seen' },
  list: { help: 'check: list the checks with their codes, and look at nothing' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

export type Given = OptionValues<typeof options>

const FILES = ['config-file', 'json'] as const
const OWN = ['certificate-file', 'key-file'] as const

/** `words`: the operands after the action. */
export const ACTIONS = {
  init: {
    takes: [
      ...FILES,
      ...OWN,
      ...([
        'etcd',
        'node',
        'user',
        'admin',
        'admin-password-file',
        'ca-file',
        'users',
        'plain',
        'no-login',
        'dry-run',
      ] as const),
    ],
    words: ['NAME'],
  },
  invite: { takes: FILES, words: ['FILE'] },
  join: { takes: [...FILES, ...OWN, 'node', 'users', 'dry-run'], words: ['FILE'] },
  leave: { takes: [...FILES, 'yes', 'dry-run'], words: [] },
  status: { takes: FILES, words: [] },
  check: { takes: [...FILES, 'only', 'days', 'strict', 'all', 'list'], words: [] },
} as const satisfies Readonly<
  Record<string, { readonly takes: readonly (keyof Given)[]; readonly words: readonly string[] }>
>

export type Action = keyof typeof ACTIONS
