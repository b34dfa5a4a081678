/** The checks of the nodes and their users, for `ghostport cluster check`. Pure. */

import { showUntil } from '../../access/age.ts'
import type { ClusterUsersStatus } from '../../daemon/warden/cluster-users/cluster-users.ts'
import { type Answer, judged, notChecked } from '../../host/doctor/check.ts'
import { advice, type ClusterCheck, found, MOST_SKEW } from './cluster-check.ts'
import { ago, SEEN_LATELY } from './judge-survey.ts'

export const nodeChecks: readonly ClusterCheck[] = [
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
      if (closedUntil === undefined || closedUntil <= now) return judged([], 'it is not closed')
      const until = [`until ${showUntil(closedUntil)}`]
      // A week is more than any node keeps a claim.
      return judged(
        [
          closedUntil - now > 7 * 86_400
            ? found(
                'error',
                'the cluster is closed for longer than any restored backup would close it: no packet counts as new',
                until,
                advice('as the administrator of etcd: etcdctl del ghostport/NAME/closed-until'),
              )
            : found(
                'warning',
                'a backup of etcd was restored: no packet counts as new',
                until,
                advice('wait; docs/CLUSTER.md, “Backup and restore”'),
              ),
        ],
        '',
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
