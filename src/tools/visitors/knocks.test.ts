import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonLog } from '../../log.ts'
import { knockSections } from './knock-section.ts'
import { type KnockCell, knockIn, plainAddress } from './knocks.ts'
import { parseRequest } from './request.ts'
import { Survey } from './survey.ts'
import { Tally } from './tally.ts'

/** As the server writes them. */
function logged(event: string, fields: Record<string, string>, prefix = ''): string {
  let written = ''
  const log = jsonLog(
    (line) => (written = line),
    () => new Date('2026-10-10T12:00:00Z'),
    () => prefix,
  )
  log.write('info', event, fields)
  return written.trimEnd()
}

const granted = (address: string, source = address): string =>
  logged('knock', { verdict: 'granted', source, for: address, grant: 'tcp/22' })
const refused = (source: string): string =>
  logged('refused', { verdict: 'refused', source, code: 'ACCESS_NO_STANZA' }, '<6>')

test('lines of the server are read, also with the prefix of the journal', () => {
  assert.deepEqual(knockIn(granted('192.0.2.1')), { address: '192.0.2.1', day: '2026-10-10', verdict: 'granted' })
  assert.equal(knockIn(granted('192.0.2.1', '192.0.2.9'))?.address, '192.0.2.1')
  assert.equal(knockIn(`Oct 10 12:00:00 host ghostport[7]: ${refused('::FFFF:192.0.2.2')}`)?.address, '192.0.2.2')
  for (const line of [
    '',
    '{"verdict"',
    '{"verdict":"granted"}',
    logged('ready', { verdict: 'granted', source: '192.0.2.1' }),
    granted('no address'),
    granted('192.0.2.1').replace('2026', 'x'),
  ])
    assert.equal(knockIn(line), undefined, line)
  fc.assert(fc.property(fc.string(), (text) => void knockIn(`{"verdict":${text}`)))
  assert.equal(plainAddress('2001:DB8::1'), '2001:db8::1')
})

test('who probes, and who knocks', () => {
  const parsed = parseRequest(['-g', 'ghostport.log', 'log'])
  assert.ok(parsed.ok && typeof parsed.value === 'object')
  const survey = new Survey(parsed.value)
  const visit = (address: string, target: string): void =>
    survey.add({ address, day: '2026-10-10', target, status: 404, agent: 'Mozilla/5.0 Firefox/3.0' }, '')
  const knocks = new Tally<KnockCell>(10_000, (missing) => ({ count: 0, missing, granted: 0, refused: 0 }))
  for (const line of [
    granted('192.0.2.1'),
    refused('192.0.2.2'),
    granted('192.0.2.4'),
    granted('192.0.2.5'),
    refused('192.0.2.6'),
  ]) {
    const knock = knockIn(line)
    if (knock !== undefined) knocks.add(knock.address)[knock.verdict]++
  }
  for (const address of ['192.0.2.1', '::ffff:192.0.2.2', '192.0.2.3']) visit(address, '/.env')
  for (const address of ['192.0.2.1', '192.0.2.4', '192.0.2.7']) visit(address, '/')
  const [groups, addresses] = knockSections(survey, knocks, parsed.value)
  assert.deepEqual(
    groups?.rows.map(([count, hits, , , name]) => `${name}: ${count}, ${hits}`),
    [
      'scans, and was granted: 1, 2',
      'scans, and was refused: 1, 1',
      'scans, and never knocked: 1, 1',
      'was granted, and visits: 1, 1',
      'was granted, and never visits: 1, 0',
      'was refused, and visits: 0, 0',
      'was refused, and never visits: 1, 0',
    ],
  )
  // The most remarkable first; who neither scans nor knocks is not there.
  assert.deepEqual(
    addresses?.rows.map(([address]) => address),
    ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6'],
  )
})
