/** The checks of etcd itself, for `ghostport cluster check`. Pure. */
import { showUntil } from '../../access/age.ts'
import { good, judged, notChecked } from '../../host/doctor/check.ts'
import { advice, type ClusterCheck, found, MOST_SKEW } from './cluster-check.ts'

const DAY = 86_400
/** A clock that is this far off is worth a look. */
const NOTABLE_SKEW = 30
const FULL = 0.8
/** Changes that etcd keeps, before it is said that nobody compacts it. */
const MANY_REVISIONS = 1_000_000
/** Versions of etcd that can lose what they confirmed: its own postmortem of 2022. */
const UNSOUND = /^3\.5\.[012]$/

/** Of CVE-2026-33343 and CVE-2026-33413. */
const MENDED = 'etcd 3.4.42, 3.5.28 or 3.6.9, or later'

/** Of its members, its logins, and its state. */
export const etcdChecks: readonly ClusterCheck[] = [
  {
    code: 'MEMBERS',
    question: 'Do all members of etcd answer, with one leader?',
    judge({ survey: { members, peers } }) {
      const silent = members.filter(({ why }) => why !== undefined)
      const answering = members.length - silent.length
      const leaders = new Set(members.flatMap(({ leader }) => (leader === undefined || leader === '0' ? [] : [leader])))
      const isLeaderless = ({ why, leader, isLed }: (typeof members)[number]): boolean =>
        why !== undefined || leader === '0' || (leader === undefined && isLed === 'no')
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
          ...(answering > 0 && members.every(isLeaderless)
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
    judge({ survey: { auth, login, members, talkative }, hasLogin }) {
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
          ...(talkative === 'yes'
            ? [
                found(
                  'hint',
                  'etcd does some things for those who have no login: whoever reaches it can stop all knocks (CVE-2026-33413)',
                  ['it told its members to somebody without a login'],
                  advice(
                    `have etcd ask for certificates (docs/CLUSTER.md), let nobody else reach it, or use ${MENDED}`,
                  ),
                ),
              ]
            : []),
        ],
        hasLogin ? 'its login is taken' : 'no login is needed',
      )
    },
  },
  {
    code: 'PERMISSIONS',
    question: 'May this node touch the keys of its cluster, and no others?',
    judge({ survey: { permissions, auth, bound } }) {
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
          ...(bound === 'no'
            ? [
                found(
                  'hint',
                  'etcd does not hold its user to these keys: a node that is taken over could touch all that is in etcd (CVE-2026-33343)',
                  ['a transaction within another one may read a key that is not of this cluster'],
                  advice(`keep nothing else in this etcd, or use ${MENDED}`),
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
            [`good until ${showUntil(until)}`],
            renew,
          ),
        ),
        `the first ends at ${showUntil(Math.min(...ends.map(({ until }) => until)))}`,
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
]

function daysOf(seconds: number): string {
  const days = Math.ceil(seconds / DAY)
  return days === 1 ? 'a day' : `${days} days`
}

function mega(bytes: number): string {
  return `${Math.round(bytes / 1024 / 102.4) / 10} MiB`
}
