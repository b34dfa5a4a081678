import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Attestation } from './attestation.ts'
import { type GnupgAnswer, parseFromGnupg, parseGnupgAnswer, parseGnupgRequest } from './gnupg-protocol.ts'
import { LossyLines, lineOf } from './lossy-lines.ts'

const FPR = '1FDDCD755FDA721D0350E893AD8C10297F35D41F'
const contents = {
  ...{ plaintext: 'YQ', signature: { kind: 'none' as const }, decryptIds: ['spa@server.example'] },
  attestation: 'A'.repeat(43) as Attestation,
} as const
const opened: GnupgAnswer = { id: 1, opened: contents }

test('an answer is read as it was written', () => {
  assert.deepEqual(parseGnupgAnswer(JSON.parse(JSON.stringify(opened))), opened)
})

const wrong: [what: string, value: unknown][] = [
  ['nothing', undefined],
  ['no id', { opened: contents }],
  ['a field more', { ...opened, extra: 1 }],
  ['both outcomes', { ...opened, failure: { code: 'GNUPG_FAILED', detail: '' } }],
  ['an id that is no number', { ...opened, id: '1' }],
  ['a signature of a fingerprint in lower case', signedBy(FPR.toLowerCase())],
  ['a signature of half a fingerprint', signedBy(FPR.slice(0, 20))],
  ['a plaintext that is too long', { id: 1, opened: { ...contents, plaintext: 'A'.repeat(20_000) } }],
  ['no list of keys', { id: 1, opened: { ...contents, decryptIds: 'spa@server.example' } }],
  ['a list without end', { id: 1, opened: { ...contents, decryptIds: Array.from({ length: 101 }, () => 'a') } }],
  ['a code of another process', { id: 1, failure: { code: 'FIREWALL_REFUSED', detail: '' } }],
]
for (const [what, value] of wrong) test(`no answer: ${what}`, () => assert.equal(parseGnupgAnswer(value), undefined))

function signedBy(fingerprint: string): unknown {
  const signature = { kind: 'verified', fingerprint, primary: FPR, state: 'good', isTrusted: true }
  return { id: 1, opened: { ...contents, signature } }
}

test('text from gpg is printable before anybody sees it', () => {
  const answer = parseGnupgAnswer({ id: 1, failure: { code: 'GNUPG_FAILED', detail: 'a\u001b[31mb' } })
  assert(answer !== undefined && 'failure' in answer)
  assert(!answer.failure.detail.includes('\u001b'))
  const said = parseFromGnupg({ type: 'ready', problems: ['\u001b[2J'] })
  assert(said?.type === 'ready' && !said.problems[0]?.includes('\u001b'))
})

test('no value makes a reader throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      parseGnupgAnswer(value)
      parseGnupgRequest(value)
      parseFromGnupg(value)
    }),
  )
})

test('lines arrive whole, however they are split; half a line that somebody left harms the next one only', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 5 }), fc.nat(), (values, cut) => {
      const bytes = Buffer.from(values.map(lineOf).join(''))
      const at = cut % bytes.length
      const lines = new LossyLines()
      const read = [...lines.push(bytes.subarray(0, at)), ...lines.push(bytes.subarray(at))]
      assert.deepEqual(read, JSON.parse(JSON.stringify(values)))
    }),
  )
  const lines = new LossyLines()
  assert.deepEqual(lines.push(Buffer.from('{"id":1,"op')), [])
  assert.deepEqual(lines.push(Buffer.from('\n{"id":2}\nno json\n{"id":3}\n')), [{ id: 2 }, { id: 3 }])
  assert.deepEqual(lines.push(Buffer.alloc(70_000, 'a')), [])
  assert.deepEqual(lines.push(Buffer.from('\n{"id":4}\n')), [{ id: 4 }])
})

test('bytes of any kind make the reader of lines throw nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (chunks) => void chunks.map((chunk) => new LossyLines().push(chunk))),
  )
})
