/** The checks of `ghostport cluster check`: each a question about a survey, and a judgement. Pure. */
import type { ClusterStatus } from '../../daemon/warden/cluster-process/cluster.ts'
import type { ClusterUsersStatus } from '../../daemon/warden/cluster-users/cluster-users.ts'
import type { FromClusterStatus } from '../../daemon/warden/status.ts'
import type { Survey } from '../../etcd/survey-report.ts'
import {
  type Answer,
  type Check,
  type Cure,
  type Finding,
  good,
  judged,
  notChecked,
  type Severity,
} from '../../host/doctor/check.ts'
import { ago, SEEN_LATELY } from './judge-survey.ts'

/** What is known when the checks are asked. */
export interface ClusterFacts {
  readonly survey: Survey
  readonly secure: boolean
  readonly staysHere: boolean
  readonly hasLogin: boolean
  readonly node: string
  /** Of this ghostport. */
  readonly version: string
  /** How long this node keeps a claim, by its settings. */
  readonly life: number
  /** Seconds since 1970. */
  readonly now: number
  /** The end of the certificate that this node shows. */
  readonly ownCertificateUntil: number | undefined
  /** The end of the first certificate in CLUSTER_CA_FILE that ends. */
  readonly authorityUntil: number | undefined
  /** `--days` */
  readonly days: number
  /** What the running server says; or why it is not known. */
  readonly server: ServerFacts | { readonly because: string } | undefined
}

/** What the running server says of itself. */
export interface ServerFacts extends ClusterStatus {
  /** Absent: it has no CLUSTER_SECRET_FILE. */
  readonly fromCluster?: FromClusterStatus
  /** Absent: it has no CLUSTER_USERS. */
  readonly clusterUsers?: ClusterUsersStatus
}

export interface ClusterCheck extends Pick<Check, 'code' | 'question'> {
  readonly judge: (facts: ClusterFacts) => Answer
}

const DAY = 86_400
/** How far the clocks of nodes may be apart: as long as claims outlive their packets. */
const MOST_SKEW = 300
/** A clock that is this far off is worth a look. */
const NOTABLE_SKEW = 30
const FULL = 0.8
/** Changes that etcd keeps, before it is said that nobody compacts it. */
const MANY_REVISIONS = 1_000_000
/** Versions of etcd that can lose what they confirmed: its own postmortem of 2022. */
const UNSOUND = /^3\.5\.[012]$/

const found = (severity: Severity, text: string, evidence: readonly string[], cure?: Cure): Finding => ({
  ...{ severity, text, evidence },
  ...(cure !== undefined && { cure }),
})
const advice = (text: string): Cure => ({ advice: text })

export const clusterChecks: readonly ClusterCheck[] = [
  {
    code: 'MEMBERS',
    question: 'Do all members of etcd answer, with one leader?',
    judge({ survey: { members, peers } }) {
      const silent = members.filter(({ why }) => why !== undefined)
      const answering = members.length - silent.length
      const leaders = new Set(members.flatMap(({ leader }) => (leader === undefined || leader === '0' ? [] : [leader])))
      const count = peers !== undefined && 'list' in peers ? peers.list.length : members.length
      const few = count === 2 || count === 1
      return judged(
        [
          ...(silent.length === 0
            ? []
            : [
                found(
                  answering === 0 ? 'error' : 'warning',
                  answering === 0
                    ? 'no member of etcd answers'
                    : `${silent.length} of ${members.length} members do not answer`,
                  silent.map(({ at, why }) => `${at}: ${why}`),
                  advice('docs/CLUSTER.md, “Failures”, and “A member is lost for good”'),
                ),
              ]),
          ...(leaders.size > 1
            ? [
                found(
                  'warning',
                  'members name different leaders',
                  members.map(({ at, leader }) => `${at}: ${leader ?? '?'}`),
                ),
              ]
            : []),
          ...(leaders.size === 0 && answering > 0
            ? [found('error', 'etcd has no leader: most of its members are gone', [])]
            : []),
          ...(few
            ? [
                found(
                  'hint',
                  `etcd has ${count} member${count === 1 ? '' : 's'}: the loss of one stops all knocks`,
                  [],
                  advice('use three members'),
                ),
              ]
            : []),
        ],
        `${answering} of ${members.length} answer`,
      )
    },
  },
  {
    code: 'ETCD_VERSIONS',
    question: 'Do the members run one sound version of etcd?',
    judge({ survey: { members } }) {
      const versions = members.flatMap(({ at, version }) => (version === undefined ? [] : [{ at, version }]))
      if (versions.length === 0) return notChecked('no member says its version')
      const evidence = versions.map(({ at, version }) => `${at}: ${version}`)
      const unsound = versions.filter(({ version }) => UNSOUND.test(version))
      return judged(
        [
          ...(unsound.length === 0
            ? []
            : [
                found(
                  'error',
                  'etcd 3.5.0 to 3.5.2 can lose what it has confirmed',
                  evidence,
                  advice('upgrade etcd to 3.5.3 or later'),
                ),
              ]),
          ...(new Set(versions.map(({ version }) => version)).size > 1
            ? [
                found(
                  'hint',
                  'the members run different versions of etcd',
                  evidence,
                  advice('finish the upgrade of etcd'),
                ),
              ]
            : []),
        ],
        evidence.join(', '),
      )
    },
  },
  {
    code: 'LOGIN',
    question: 'Does etcd ask who somebody is, and let this node in?',
    judge({ survey: { auth, login, members }, hasLogin }) {
      if (members.every(({ why }) => why !== undefined)) return notChecked('no member of etcd answers')
      return judged(
        [
          ...(auth === 'off'
            ? [
                found(
                  'error',
                  'etcd asks nobody who he is (auth is off): whoever reaches it can make used packets new again',
                  ['a question without a login was answered'],
                  advice('etcdctl user add root; etcdctl auth enable; then ghostport cluster init on the first node'),
                ),
              ]
            : []),
          ...('why' in login
            ? [
                found(
                  'error',
                  'etcd does not let this node in',
                  [login.why],
                  advice('CLUSTER names the user, CLUSTER_PASSWORD_FILE the password'),
                ),
              ]
            : []),
          ...('none' in login && auth === 'on'
            ? [found('error', 'etcd asks for a login, and CLUSTER names no user', [])]
            : []),
        ],
        hasLogin ? 'its login is taken' : 'no login is needed',
      )
    },
  },
  {
    code: 'PERMISSIONS',
    question: 'May this node touch the keys of its cluster, and no others?',
    judge({ survey: { permissions, auth } }) {
      if (permissions === undefined)
        return notChecked(auth === 'off' ? 'etcd asks nobody who he is' : 'nobody could log in')
      if ('why' in permissions) return notChecked(permissions.why)
      const { covers, beyond, roles } = permissions
      return judged(
        [
          ...(covers === 'no'
            ? [
                found('error', 'its user may not read and write the keys of the cluster', [
                  `roles: ${roles.join(', ') || 'none'}`,
                ]),
              ]
            : []),
          ...(beyond.length > 0
            ? [
                found(
                  'warning',
                  'its user may touch keys that are not of this cluster: a node that is taken over could, too',
                  beyond,
                  advice('etcdctl role revoke-permission'),
                ),
              ]
            : []),
        ],
        `roles: ${roles.join(', ')}`,
      )
    },
  },
  {
    code: 'TLS',
    question: 'Is what goes to etcd encrypted, with certificates that last?',
    judge(facts) {
      const { survey, secure, staysHere, now, days, ownCertificateUntil, authorityUntil } = facts
      if (!secure)
        return staysHere
          ? good('etcd is on this host')
          : judged(
              [
                found(
                  'error',
                  'etcd:// is not encrypted: who can change it on its way can have packets used again',
                  [],
                  advice('etcds:// in CLUSTER; docs/CLUSTER.md, “Certificates”'),
                ),
              ],
              '',
            )
      const ends = [
        ...survey.members.flatMap(({ at, certificateUntil: until }) =>
          until === undefined ? [] : [{ what: `the certificate of ${at}`, until }],
        ),
        ...(ownCertificateUntil === undefined
          ? []
          : [{ what: 'CLUSTER_CERTIFICATE_FILE', until: ownCertificateUntil }]),
        ...(authorityUntil === undefined ? [] : [{ what: 'an authority of CLUSTER_CA_FILE', until: authorityUntil }]),
      ]
      if (ends.length === 0) return notChecked('no certificate was seen')
      const soon = ends.filter(({ until }) => until - now < days * DAY)
      const renew = advice('docs/CLUSTER.md, “Certificates”, says how to renew it; then systemctl reload ghostport')
      return judged(
        soon.map(({ what, until }) =>
          found(
            until <= now ? 'error' : 'warning',
            `${what} ${until <= now ? 'has ended' : `ends within ${daysOf(until - now)}`}`,
            [`good until ${dateOf(until)}`],
            renew,
          ),
        ),
        `the first ends at ${dateOf(Math.min(...ends.map(({ until }) => until)))}`,
      )
    },
  },
  {
    code: 'ALARMS',
    question: 'Has etcd no alarm?',
    judge({ survey: { alarms } }) {
      if (alarms === undefined) return notChecked('no member of etcd answers')
      if ('why' in alarms) return notChecked(alarms.why)
      return judged(
        alarms.list.map(({ id, kind }) =>
          found(
            'error',
            kind === 'NOSPACE' ? 'etcd is full, and takes no claims' : `etcd has the alarm ${kind}`,
            [`member ${id}: ${kind}`],
            advice(
              kind === 'NOSPACE' ? 'docs/CLUSTER.md, “etcd is full”' : 'docs/CLUSTER.md, “A member is lost for good”',
            ),
          ),
        ),
        'none',
      )
    },
  },
  {
    code: 'QUOTA',
    question: 'Is there room in etcd?',
    judge({ survey: { members } }) {
      const known = members.flatMap(({ at, databaseBytes: bytes, quotaBytes: quota }) =>
        bytes === undefined || quota === undefined || quota === 0 ? [] : [{ at, bytes, quota }],
      )
      if (known.length === 0) return notChecked('no member says its size and its quota')
      const evidence = known.map(({ at, bytes, quota }) => `${at}: ${mega(bytes)} of ${mega(quota)}`)
      const full = known.some(({ bytes, quota }) => bytes > FULL * quota)
      return judged(
        full
          ? [
              found(
                'warning',
                'etcd is nearly full. When it is, no knock is accepted',
                evidence,
                advice('docs/CLUSTER.md, “etcd is full”'),
              ),
            ]
          : [],
        evidence.join(', '),
      )
    },
  },
  {
    code: 'COMPACTION',
    question: 'Does etcd forget old revisions?',
    judge({ survey: { revision, oldestRevision: oldest } }) {
      if (revision === undefined || oldest === undefined) return notChecked('etcd does not say it to this user')
      const kept = revision - oldest + 1
      return judged(
        kept > MANY_REVISIONS
          ? [
              found(
                'warning',
                `etcd keeps ${kept} old revisions: nobody compacts it, and it will be full`,
                [`revisions ${oldest} to ${revision}`],
                advice('ETCD_AUTO_COMPACTION_RETENTION=1h, in /etc/default/etcd of each member'),
              ),
            ]
          : [],
        `it keeps revisions ${oldest} to ${revision}`,
      )
    },
  },
  {
    code: 'CLOCKS',
    question: 'Do the clocks agree?',
    judge({ survey: { members, nodes } }) {
      const seen = [
        ...members.flatMap(({ at, clockAhead: ahead }) =>
          ahead === undefined ? [] : [{ who: at, off: Math.abs(ahead) > 1 ? ahead : 0 }],
        ),
        ...(nodes !== undefined && 'list' in nodes
          ? nodes.list
              // A node writes each 20 s, so only what is outside of that is a clock. One that is gone has an old line.
              .map(({ node, at }) => ({ who: `node ${node}`, off: at > nodes.now ? at - nodes.now : 0 }))
          : []),
      ]
      if (seen.length === 0) return notChecked('no clock was seen')
      const off = seen.filter(({ off }) => Math.abs(off) >= NOTABLE_SKEW)
      return judged(
        off.map(({ who, off }) =>
          found(
            Math.abs(off) > MOST_SKEW ? 'error' : 'warning',
            `the clock of ${who} is ${Math.abs(off)} s ${off > 0 ? 'ahead of' : 'behind'} this one; ${MOST_SKEW} s are allowed between nodes`,
            [],
            advice('timedatectl set-ntp true, on each host'),
          ),
        ),
        `${seen.length} seen`,
      )
    },
  },
  {
    code: 'NODES',
    question: 'Is this node among the nodes, once?',
    judge({ survey: { nodes }, node }) {
      if (nodes === undefined) return notChecked('nobody could read it')
      if ('why' in nodes) return notChecked(nodes.why)
      const own = nodes.list.find((one) => one.node === node)
      const twins = nodes.list.filter(({ twin }) => twin === 'yes')
      return judged(
        [
          ...(own === undefined || nodes.now - own.at > SEEN_LATELY
            ? [
                found(
                  'warning',
                  `this node (${node}) has not written to etcd for a minute`,
                  own === undefined ? [] : [`last ${ago(nodes.now - own.at)}`],
                  advice('systemctl restart ghostport, and ghostport status'),
                ),
              ]
            : []),
          ...twins.map(({ node: name }) =>
            found('error', `two servers call themselves ${name}`, [], advice('give each its own CLUSTER_NODE')),
          ),
        ],
        nodes.list.map(({ node: name }) => name).join(', '),
      )
    },
  },
  {
    code: 'PACKET_AGES',
    question: 'Do all nodes accept packets of the same age?',
    judge({ survey: { nodes }, life, node }) {
      if (nodes === undefined || 'why' in nodes) return notChecked('the nodes are not known')
      const others = nodes.list.filter((one) => one.node !== node && one.life !== life)
      const age = (of: number): number => (of - 2 * MOST_SKEW) / 2
      return judged(
        others.length === 0
          ? []
          : [
              found(
                'error',
                'MAX_SPA_PACKET_AGE differs: a node that accepts older packets than the others takes them again, once etcd has forgotten them',
                [`${node}: ${age(life)} s`, ...others.map((one) => `${one.node}: ${age(one.life)} s`)],
                advice('set the same MAX_SPA_PACKET_AGE on all nodes'),
              ),
            ],
        `${age(life)} s`,
      )
    },
  },
  {
    code: 'NODE_VERSIONS',
    question: 'Do all nodes run the same ghostport?',
    judge({ survey: { nodes }, version, node }) {
      if (nodes === undefined || 'why' in nodes) return notChecked('the nodes are not known')
      const others = nodes.list.filter((one) => one.node !== node && one.version !== version)
      return judged(
        others.length === 0
          ? []
          : [
              found(
                'hint',
                'the nodes run different versions of ghostport: an upgrade is under way',
                [`${node}: ${version}`, ...others.map((one) => `${one.node}: ${one.version}`)],
                advice('upgrade the others too; docs/CLUSTER.md, “Upgrades”'),
              ),
            ],
        version,
      )
    },
  },
  {
    code: 'USERS',
    question: 'Does this node have the newest users of the cluster?',
    judge({ survey: { usersVersion: newest }, server }) {
      if (server === undefined) return notChecked('the running server is in no cluster')
      if ('because' in server) return notChecked(server.because)
      const { clusterUsers: own } = server
      if (own !== undefined) return judgeUsers(own, newest)
      return judged(
        (newest ?? 0) > 0
          ? [
              found(
                'hint',
                'the cluster has users that its nodes share, and this node does not have them',
                [`version ${newest} in etcd; no CLUSTER_USERS here`],
                advice('where it should have them: “CLUSTER_USERS Y;” in fwknopd.conf, and a restart'),
              ),
            ]
          : [],
        'it shares none',
      )
    },
  },
  {
    code: 'CLOSED',
    question: 'Does the cluster accept packets?',
    judge({ survey: { closedUntil, login }, now }) {
      if ('why' in login) return notChecked('nobody could read it')
      return judged(
        closedUntil !== undefined && closedUntil > now
          ? [
              found(
                'warning',
                'a backup of etcd was restored: no packet counts as new',
                [`until ${dateOf(closedUntil)}`],
                advice('wait; docs/CLUSTER.md, “Backup and restore”'),
              ),
            ]
          : [],
        'it is not closed',
      )
    },
  },
  {
    code: 'SERVER',
    question: 'Does the server of this host say that the cluster is usable?',
    judge({ server, node }) {
      if (server === undefined)
        return judged(
          [found('error', 'the running server is in no cluster', [], { command: 'systemctl restart ghostport' })],
          '',
        )
      if ('because' in server) return notChecked(server.because)
      const { problem, cure } = server.fromCluster ?? {}
      return judged(
        [
          ...(problem === undefined
            ? []
            : [
                found(
                  'error',
                  'it opens nothing for other nodes, and they open nothing for it',
                  [problem],
                  advice(cure ?? 'docs/CLUSTER.md, “Failures”'),
                ),
              ]),
          ...(server.usable
            ? []
            : [found('error', 'the cluster is not usable for it', [server.why ?? '', `since ${server.since}`])]),
          ...(server.node === node
            ? []
            : [
                found('warning', `it runs as the node ${server.node}: the settings have changed`, [], {
                  command: 'systemctl restart ghostport',
                }),
              ]),
        ],
        `it answered in ${server.answeredInMs ?? '?'} ms`,
      )
    },
  },
]

/** @param newest that etcd shows. Undefined: it could not be asked. It was asked before the server was. */
function judgeUsers(own: ClusterUsersStatus, newest: number | undefined): Answer {
  const { version, age, mostAge, outdated, inSync, why, leftOut, stanzas } = own
  if (newest === undefined && inSync) return notChecked('etcd does not tell the versions of the users')
  const evidence = [`version ${newest ?? '?'} in etcd, ${version} here`, ...(why === undefined ? [] : [why])]
  const wentBack = newest !== undefined && newest < version && !inSync
  return judged(
    [
      ...(outdated
        ? [
            found(
              'error',
              'the copy of the cluster’s users is too old: their knocks are refused, and grants of other nodes for them',
              [`${age ?? 'an unknown number of'} s old, and CLUSTER_COPY_AGE is ${mostAge} s`, ...evidence],
              advice('restore etcd; docs/CLUSTER.md, “Users of the cluster”'),
            ),
          ]
        : []),
      ...(wentBack
        ? [
            found('error', 'etcd has older users than this node: a backup of etcd was restored', evidence, {
              advice: 'ghostport user publish --copy, at the node with the highest version; docs/CLUSTER.md',
            }),
          ]
        : []),
      ...(!outdated && !wentBack && (!inSync || (newest ?? 0) > version)
        ? [
            found(
              'warning',
              'this node does not have the newest users: who was removed may still get in',
              [...evidence, `its copy is ${age ?? 'an unknown number of'} s old`],
              advice('ghostport status says what keeps them away; docs/CLUSTER.md, “Users of the cluster”'),
            ),
          ]
        : []),
      ...(leftOut > 0
        ? [
            found('warning', 'this node leaves out stanzas of the cluster', [`${leftOut} of ${stanzas}`], {
              advice: 'read why: ghostport check',
            }),
          ]
        : []),
    ],
    `version ${version}, as etcd has it`,
  )
}

function dateOf(seconds: number): string {
  return seconds > 9_000_000_000 ? 'further notice' : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

function daysOf(seconds: number): string {
  const days = Math.ceil(seconds / DAY)
  return days === 1 ? 'a day' : `${days} days`
}

function mega(bytes: number): string {
  return `${Math.round(bytes / 1024 / 102.4) / 10} MiB`
}
