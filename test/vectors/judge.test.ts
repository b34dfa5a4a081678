import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Judgement, judge, stricterRules } from './judge.ts'
import { parseVectors, type Vector } from './vector.ts'

const FILE = fileURLToPath(new URL('fwknop-2.6.10.json', import.meta.url))
const text = readFileSync(FILE, 'utf8')
const parsed = parseVectors(text)
assert(parsed.ok)
const vectors = parsed.value

const judgements = new Map<Vector, Judgement>()
for (const vector of vectors) judgements.set(vector, await judge(vector))

for (const [vector, judgement] of judgements) {
  // What is not built yet has a test of its own, below.
  if (judgement.outcome === 'skipped') continue
  test(`${vector.name} (${vector.category}): ${vector.expect}`, () => {
    assert.equal(judgement.outcome, 'passed', judgement.outcome === 'failed' ? judgement.why : '')
  })
}

test('only commands are skipped', () => {
  const skipped = [...judgements].filter(([, { outcome }]) => outcome === 'skipped')
  assert.equal(skipped.length, 10)
  for (const [{ name, accessConf }] of skipped) assert.match(accessConf, /^(ENABLE_CMD_|CMD_)/m, name)
})

test('a packet that fwknopd accepts is refused for its form only, by a rule of the table', () => {
  const stricter = [...judgements].flatMap(([vector, judgement]) =>
    judgement.outcome === 'passed' && judgement.stricterBy !== undefined
      ? [{ category: vector.category, rule: judgement.stricterBy }]
      : [],
  )
  assert(stricter.length >= 8)
  for (const { category, rule } of stricter) {
    assert(['lenient', 'malleable', 'gpg'].includes(category))
    assert(Object.hasOwn(stricterRules, rule))
  }
})

test('a server that does not start passes for one that rejects only where its configuration is in question', () => {
  for (const [{ name, category }, judgement] of judgements)
    if (judgement.outcome === 'passed' && judgement.notStarted !== undefined)
      assert.ok(['config', 'gpg'].includes(category), name)
})

/** Proof that the judge can find fault. */
function named(name: string): Vector {
  const vector = vectors.find((it) => it.name === name)
  assert(vector !== undefined, name)
  return vector
}
const sound = named('cbc-hmac-default')
const faults: [what: string, vector: Vector][] = [
  ['a good packet that is said to be rejected', { ...sound, expect: 'reject' }],
  ['a bad packet that is said to be accepted', { ...named('tamper-flip-salt'), expect: 'accept' }],
  ['another message than the one inside', { ...sound, fields: { ...sound.fields, message: '10.1.2.3,tcp/23' } }],
  ['a field that does not exist', { ...sound, fields: { ...sound.fields, colour: 'red' } }],
  ['a packet sent before', { ...sound, prior: [sound.packet] }],
  ['a packet that is too old', { ...sound, now: sound.now + 121, conf: { ENABLE_SPA_PACKET_AGING: 'Y' } }],
  ['a packet from the future', { ...sound, now: sound.now - 121, conf: { ENABLE_SPA_PACKET_AGING: 'Y' } }],
  ['a port that policy denies', { ...sound, accessConf: `${sound.accessConf}OPEN_PORTS tcp/23\n` }],
  ['another source', { ...sound, accessConf: sound.accessConf.replace('SOURCE ANY', 'SOURCE 10.99.0.1') }],
  ['a server that does not start', { ...sound, accessConf: 'KEY a\n' }],
  ['leniency where the category has none', { ...named('field-user-noncanonical'), category: 'client' }],
  [
    'a packet that policy denies, whatever the category',
    { ...named('nat-disabled'), expect: 'accept', category: 'lenient' },
  ],
]
for (const [what, vector] of faults) {
  test(`the judge does not pass ${what}`, async () => assert.equal((await judge(vector)).outcome, 'failed'))
}

test('a packet is judged at the clock of the vector, not of the host', async () => {
  const aging = { ...sound, conf: { ENABLE_SPA_PACKET_AGING: 'Y' } }
  assert.equal((await judge({ ...aging, now: sound.now + 120 })).outcome, 'passed')
})

const folder = mkdtempSync(join(tmpdir(), 'ghostport-vectors-'))
after(() => rmSync(folder, { recursive: true }))
const program = fileURLToPath(new URL('../../scripts/vectors.ts', import.meta.url))
const run = (...files: string[]) =>
  spawnSync(process.execPath, ['--conditions=ghostport-source', program, ...files], { encoding: 'utf8' })

test('the command counts, and exits with 0 where all is well', () => {
  const { status, stdout } = run(FILE)
  assert.equal(stdout, '261 passed, 0 failed, 10 skipped\n')
  assert.equal(status, 0)
})

test('the command names each miss, and exits with 1', () => {
  const file = join(folder, 'miss.json')
  const [first] = JSON.parse(text)
  writeFileSync(file, JSON.stringify([{ ...first, expect: 'reject' }, first]))
  const { status, stdout } = run(file)
  assert.match(stdout, /^FAILED cbc-nohmac-default \(client\): accepted for .*\n1 passed, 1 failed, 0 skipped\n$/)
  assert.equal(status, 1)
})

const notVectors: [what: string, content: string | undefined, status: number][] = [
  ['is not there', undefined, 66],
  ['is not JSON', 'vectors', 65],
  ['is not a list', '{}', 65],
  ['holds something else', '[{"name":"x"}]', 65],
]
for (const [what, content, expected] of notVectors) {
  test(`the command refuses a file that ${what}`, () => {
    const file = join(folder, `${what}.json`)
    if (content !== undefined) writeFileSync(file, content)
    const { status, stderr } = run(file)
    assert.equal(status, expected)
    assert(stderr.startsWith(file))
  })
}
