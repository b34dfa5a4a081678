import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Survey } from '../../etcd/survey-report.ts'
import { clusterChecks } from './checks.ts'
import type { ClusterFacts } from './cluster-check.ts'

const NOW = 1_800_000_000
const member = {
  ...{ at: '10.0.0.1:2379', id: '1', leader: '1', version: '3.5.16', databaseBytes: 1000, databaseInUse: 900 },
  ...{ quotaBytes: 10_000, tookMs: 3, clockAhead: 0, certificateUntil: NOW + 400 * 86_400 },
}
const node = { node: 'web-1', version: '0.1.0', life: 840, at: NOW - 5, instance: 'a', twin: 'no' as const }
const survey: Survey = {
  members: [member, { ...member, at: '10.0.0.2:2379', id: '2' }, { ...member, at: '10.0.0.3:2379', id: '3' }],
  ...{ auth: 'on', login: { good: 'yes' }, alarms: { list: [] }, revision: 5000, oldestRevision: 4000, used: 7 },
  peers: { list: ['1', '2', '3'].map((id) => ({ id, name: `m${id}`, learner: 'no' as const })) },
  permissions: { roles: ['ghostport-front'], covers: 'yes', beyond: [] },
  nodes: { list: [node, { ...node, node: 'web-2', instance: 'b' }], now: NOW },
  usersVersion: 7,
}
const users = { version: 7, stanzas: 3, leftOut: 0, inSync: true, age: 0, mostAge: 86_400, outdated: false }
const server = {
  ...{ cluster: 'front', node: 'web-1', members: [], usable: true, since: '2027-01-15T08:00:00Z', answeredInMs: 3 },
  ...{ first: 1, usedElsewhere: 0, unknown: 0, clusterUsers: users },
}
const withUsers = (change: Partial<typeof users> & { readonly why?: string }) => ({
  server: { ...server, clusterUsers: { ...users, ...change } },
})
const facts: ClusterFacts = {
  ...{ survey, secure: true, staysHere: false, hasLogin: true, node: 'web-1', version: '0.1.0', life: 840, now: NOW },
  ...{ ownCertificateUntil: undefined, authorityUntil: undefined, days: 30, server },
}

const { clusterUsers: _, ...bare } = server

function judge(change: Partial<ClusterFacts>, surveyed: Partial<Survey> = {}): readonly string[] {
  const all = { ...facts, ...change, survey: { ...survey, ...surveyed } }
  return clusterChecks.flatMap(({ code, judge: of }) => {
    const answer = of(all)
    if (answer.kind === 'bad') return answer.findings.map(({ severity }) => `${code} ${severity}`)
    return answer.kind === 'good' ? [] : [`${code} not checked`]
  })
}
const [first, ...others] = survey.members
assert.ok(first)
const untold = (measured: { readonly isLed?: 'yes' | 'no' }): Survey['members'] =>
  survey.members.map(({ id: _, leader: __, ...one }) => ({ ...one, ...measured }))
const nodes = (...list: readonly Partial<typeof node>[]) => ({
  nodes: { list: list.map((one) => ({ ...node, ...one })), now: NOW },
})

describe('the checks of a cluster', () => {
  it('find nothing where all is well', () => assert.deepEqual(judge({}), []))

  const cases: readonly (readonly [string, Partial<ClusterFacts>, Partial<Survey>, readonly string[]])[] = [
    ['a member that is gone', {}, { members: [{ at: 'x', why: 'gone' }, ...others] }, ['MEMBERS warning']],
    ['no leader', {}, { members: survey.members.map((one) => ({ ...one, leader: '0' })) }, ['MEMBERS error']],
    [
      'an unsound etcd',
      {},
      { members: survey.members.map((one) => ({ ...one, version: '3.5.1' })) },
      ['ETCD_VERSIONS error'],
    ],
    ['an upgrade of etcd', {}, { members: [{ ...first, version: '3.6.0' }, ...others] }, ['ETCD_VERSIONS hint']],
    ['an etcd for everybody', {}, { auth: 'off' }, ['LOGIN error']],
    [
      'a password that is not taken',
      {},
      { login: { why: 'authentication failed' } },
      ['LOGIN error', 'CLOSED not checked'],
    ],
    [
      'too wide a role',
      {},
      { permissions: { roles: ['a'], covers: 'yes', beyond: ['read *'] } },
      ['PERMISSIONS warning'],
    ],
    ['too narrow a role', {}, { permissions: { roles: ['a'], covers: 'no', beyond: [] } }, ['PERMISSIONS error']],
    ['no leader, by what is measured', {}, { members: untold({ isLed: 'no' }) }, ['MEMBERS error']],
    ['nothing in an etcd that tells its state to administrators only', {}, { members: untold({ isLed: 'yes' }) }, []],
    ['nothing in an etcd that tells nothing', {}, { members: untold({}) }, []],
    ['an etcd that does not hold a user to his keys', {}, { bound: 'no' }, ['PERMISSIONS hint']],
    ['an etcd that answers strangers', {}, { talkative: 'yes' }, ['LOGIN hint']],
    ['an etcd that does neither', {}, { bound: 'yes', talkative: 'no' }, []],
    ['no TLS', { secure: false }, {}, ['TLS error']],
    ['a certificate that ends soon', { ownCertificateUntil: NOW + 86_400 }, {}, ['TLS warning']],
    ['an authority that has ended', { authorityUntil: NOW - 1 }, {}, ['TLS error']],
    ['a full etcd', {}, { alarms: { list: [{ id: '1', kind: 'NOSPACE' }] } }, ['ALARMS error']],
    ['an etcd that is nearly full', {}, { members: [{ ...first, databaseBytes: 9000 }, ...others] }, ['QUOTA warning']],
    ['an etcd that nobody compacts', {}, { revision: 3_000_000, oldestRevision: 1 }, ['COMPACTION warning']],
    ['a clock that is off', {}, { members: [{ ...first, clockAhead: -400 }, ...others] }, ['CLOCKS error']],
    ['a node that is ahead', {}, nodes({}, { node: 'web-2', at: NOW + 60 }), ['CLOCKS warning']],
    ['a node that says nothing', {}, nodes({ node: 'web-2' }), ['NODES warning']],
    ['two with one name', {}, nodes({ twin: 'yes' as never }), ['NODES error']],
    ['another age', {}, nodes({}, { node: 'web-2', life: 960 }), ['PACKET_AGES error']],
    ['another version', {}, nodes({}, { node: 'web-2', version: '0.2.0' }), ['NODE_VERSIONS hint']],
    ['users that this node does not have', { server: bare }, {}, ['USERS hint']],
    ['no users at all', { server: bare }, { usersVersion: 0 }, []],
    ['a node that lags', withUsers({ version: 6 }), {}, ['USERS warning']],
    ['a change between two questions', withUsers({ version: 8 }), {}, []],
    ['an old copy', withUsers({ inSync: false, age: 500, why: 'no answer' }), {}, ['USERS warning']],
    ['a copy that is too old', withUsers({ inSync: false, outdated: true, age: 90_000 }), {}, ['USERS error']],
    ['an etcd with older users', withUsers({ version: 9, inSync: false }), {}, ['USERS error']],
    ['stanzas that are left out', withUsers({ leftOut: 1 }), {}, ['USERS warning']],
    ['a restored backup', {}, { closedUntil: NOW + 100 }, ['CLOSED warning']],
    ['a cluster that somebody closed', {}, { closedUntil: NOW + 1_000_000 }, ['CLOSED error']],
    ['a server in no cluster', { server: undefined }, {}, ['USERS not checked', 'SERVER error']],
    ['a server that cannot use it', { server: { ...server, usable: false, why: 'no answer' } }, {}, ['SERVER error']],
    [
      'a server that cannot tell what it has opened for others',
      { server: { ...server, fromCluster: { granted: 0, refused: {}, ended: 0, problem: 'it is damaged' } } },
      {},
      ['SERVER error'],
    ],
    ['no server', { server: { because: 'none runs' } }, {}, ['USERS not checked', 'SERVER not checked']],
  ]
  for (const [what, change, surveyed, found] of cases)
    it(`find ${what}`, () => assert.deepEqual(judge(change, surveyed), found))

  it('call nothing good that could not be looked at', () => {
    const silent = { members: [{ at: 'x', why: 'gone' }], auth: 'unknown', login: { why: 'gone' } } as const
    const answers = clusterChecks.map(({ code, judge: of }) => [code, of({ ...facts, survey: silent }).kind] as const)
    assert.deepEqual(
      answers.filter(([, kind]) => kind === 'good').map(([code]) => code),
      ['SERVER'],
    )
  })

  it('are all in docs/CLUSTER.md, and no others', () => {
    const text = readFileSync(new URL('../../../docs/CLUSTER.md', import.meta.url), 'utf8')
    const [, table = ''] = text.split('| check | what it finds |')
    const codes = [...(table.split('\n\n')[0] ?? '').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code)
    assert.deepEqual(
      codes,
      clusterChecks.map(({ code }) => code),
    )
  })
})
