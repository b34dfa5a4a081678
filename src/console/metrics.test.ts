/** The metrics, the alerts and the board for Grafana, judged by Prometheus' own promtool. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Measured, metricsText } from './metrics.ts'

const packaging = join(import.meta.dirname, '..', '..', 'packaging')
const folder = mkdtempSync(join(tmpdir(), 'ghostport-metrics-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const status: Measured = {
  startedAt: '2026-11-26T12:00:00.500Z',
  capturing: true,
  stanzas: 3,
  remembered: 17,
  grants: [{ id: 'g:1', for: '192.0.2.1', open: ['tcp/22'], secondsLeft: 5, stanza: 1, name: 'ada', user: 'eve' }],
  warnings: [
    { code: 'HOST_DROPS_KNOCKS', level: 'warning', text: 'x' },
    { code: 'HOST_DROPS_KNOCKS', level: 'warning', text: 'y' },
    { code: 'HOST_OPEN', level: 'info', text: 'z' },
  ] as unknown as Measured['warnings'],
  counters: { granted: 4, refused: { SPA_REPLAYED: 2, SPA_HMAC_MISMATCH: 90 }, looked: 96, undecided: 0, dropped: 1 },
  lastGranted: '2026-11-26T12:34:56.000Z',
}
const lines = (measured: Measured, version = '1.2.3'): readonly string[] =>
  metricsText(measured, version)
    .split('\n')
    .filter((line) => !line.startsWith('#') && line !== '')

function promtool(argv: readonly string[], input = ''): string {
  const { status: ended, stdout, stderr, error } = spawnSync('promtool', argv, { input, encoding: 'utf8', cwd: folder })
  assert.equal(error, undefined, 'promtool is missing: it is in the package prometheus of Debian')
  assert.equal(ended, 0, stdout + stderr)
  return stdout + stderr
}

test('each number once, and no address, user or port', () => {
  assert.deepEqual(lines(status), [
    'ghostport_build_info{version="1.2.3"} 1',
    'ghostport_start_timestamp_seconds 1795694400.5',
    'ghostport_receiving 1',
    'ghostport_knocks_total{verdict="granted"} 4',
    'ghostport_knocks_total{verdict="SPA_REPLAYED"} 2',
    'ghostport_knocks_total{verdict="SPA_HMAC_MISMATCH"} 90',
    'ghostport_packets_examined_total 96',
    'ghostport_packets_dropped_total 1',
    'ghostport_packets_elsewhere_total 0',
    'ghostport_knocks_undecided 0',
    'ghostport_grants_active 1',
    'ghostport_last_accept_timestamp_seconds 1795696496',
    'ghostport_stanzas 3',
    'ghostport_replay_packets 17',
    'ghostport_host_warnings{code="HOST_DROPS_KNOCKS"} 2',
  ])
})

test('a cluster', () => {
  const cluster = {
    ...{ cluster: 'front', node: 'web-1', members: ['10.0.0.1:2379'], usable: false, since: '2026-11-26T12:00:00Z' },
    ...{ why: 'no answer', first: 5, usedElsewhere: 2, unknown: 1 },
  }
  assert.deepEqual(
    lines({ ...status, cluster }).filter((line) => line.includes('cluster')),
    [
      'ghostport_cluster_usable 0',
      'ghostport_cluster_claims_total{answer="first"} 5',
      'ghostport_cluster_claims_total{answer="used"} 2',
      'ghostport_cluster_claims_total{answer="unknown"} 1',
    ],
  )
})

test('what a server makes of the grants of other nodes', () => {
  const fromCluster = { granted: 3, refused: { ACCESS_NO_STANZA: 2 }, ended: 1 }
  const told = (all: Measured) => lines(all).filter((line) => line.includes('cluster'))
  assert.deepEqual(told({ ...status, fromCluster }), [
    'ghostport_cluster_grants_total{verdict="granted"} 3',
    'ghostport_cluster_grants_total{verdict="ACCESS_NO_STANZA"} 2',
    'ghostport_cluster_grants_ended_total 1',
    'ghostport_cluster_gate_usable 1',
  ])
  assert.equal(
    told({ ...status, fromCluster: { ...fromCluster, problem: 'it is damaged' } }).at(-1),
    'ghostport_cluster_gate_usable 0',
  )
})

test('what is not known has no value, and is not 0', () => {
  const { lastGranted: _, ...never } = status
  const text = lines({ ...never, grants: null, remembered: null }).join('\n')
  assert.doesNotMatch(text, /grants_active|last_accept|replay_packets/)
})

test('labels are escaped', () => {
  assert.equal(lines(status, 'a"b\\c\nd')[0], 'ghostport_build_info{version="a\\"b\\\\c\\nd"} 1')
})

test('promtool finds nothing to say about the metrics', () => {
  assert.equal(promtool(['check', 'metrics'], metricsText(status, '1.2.3')), '')
})

test('the alerts are valid, fire for what they are about, and not for a healthy server', () => {
  const tests = join(packaging, '..', 'test', 'support', 'alerts.yml')
  assert.match(promtool(['check', 'rules', join(packaging, 'prometheus', 'ghostport.rules.yml')]), /SUCCESS: 12 rules/)
  assert.match(promtool(['test', 'rules', tests]), /SUCCESS/)
})

interface Board {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[]
}
const board: Board = JSON.parse(readFileSync(join(packaging, 'grafana', 'ghostport.json'), 'utf8'))
const expressions = board.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

test('each expression of the board is valid', () => {
  assert.ok(expressions.length > 10)
  const rules = expressions.map((expr, i) => ({
    record: `board:${i}`,
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
  }))
  writeFileSync(join(folder, 'board.yml'), JSON.stringify({ groups: [{ name: 'board', rules }] }))
  promtool(['check', 'rules', 'board.yml'])
})

test('the board and the alerts name only what the server tells', () => {
  const told = new Set([...metricsText(status, '1').matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  const alerts = readFileSync(join(packaging, 'prometheus', 'ghostport.rules.yml'), 'utf8')
  const named = [...`${alerts}${expressions.join('\n')}`.matchAll(/\bghostport_[a-z_]+/g)].map(([name]) => name)
  assert.ok(named.length > 20)
  for (const name of named) assert.ok(told.has(name), name)
})
