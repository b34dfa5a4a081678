import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseSpan, parseWishes, readAnswers } from './wishes.ts'

describe('times', () => {
  for (const [text, wanted] of [
    ['300', 300],
    ['90s', 90],
    ['10m', 600],
    ['1h', 3600],
    ['24h', 86_400],
    ['59', undefined],
    ['25h', undefined],
    ['', undefined],
    ['5 m', undefined],
    ['-5m', undefined],
    ['1e3', undefined],
  ] as const)
    it(`${text || 'nothing'}: ${wanted ?? 'refused'}`, () => {
      const span = parseSpan(text)
      assert.equal(span.ok ? span.value : undefined, wanted)
    })
})

describe('a file of answers', () => {
  for (const [text, code] of [
    ['{"hide":"tcp/22","time":"10m"}', undefined],
    ['{}', undefined],
    ['[]', 'CONFIG_SYNTAX'],
    ['{', 'CONFIG_SYNTAX'],
    ['{"hid":"tcp/22"}', 'CONFIG_UNKNOWN_KEY'],
    ['{"__proto__":"x"}', 'CONFIG_UNKNOWN_KEY'],
    ['{"hide":22}', 'CONFIG_INVALID_VALUE'],
  ] as const)
    it(`${text}: ${code ?? 'good'}`, () => {
      const read = readAnswers('answers.json', () => text)
      assert.equal(read.ok ? undefined : read.failure.code, code)
    })

  it('no text makes the reader throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof readAnswers('x', () => text).ok === 'boolean'),
    )
  })
})

it('a wrong answer names its option', () => {
  for (const [name, value] of [
    ['hide', 'ssh'],
    ['server', 'a b'],
    ['alias', 'a b'],
    ['name', ''],
    ['policy', 'maybe'],
    ['allow', 'tcp/80'],
    ['time', 'soon'],
  ] as const) {
    const wishes = parseWishes({ [name]: value })
    assert.ok(!wishes.ok && wishes.failure.detail.startsWith(`--${name}: `), name)
  }
})

describe('the policy of the host', () => {
  for (const [answers, wanted] of [
    [{}, [undefined, undefined]],
    [{ policy: 'no' }, [false, undefined]],
    [{ policy: 'yes' }, [true, undefined]],
    [{ policy: 'yes', allow: 'none' }, [true, 0]],
    [{ policy: 'yes', allow: 'tcp/80,tcp/443' }, [true, 2]],
  ] as const)
    it(JSON.stringify(answers), () => {
      const wishes = parseWishes(answers)
      assert.ok(wishes.ok)
      assert.deepEqual([wishes.value.policy, wishes.value.allow?.length], wanted)
    })

  for (const answers of [{ policy: 'yes', allow: 'http' }, { policy: 'no', allow: 'tcp/80' }, { policy: '' }])
    it(`refused: ${JSON.stringify(answers)}`, () => {
      const wishes = parseWishes(answers)
      assert.ok(!wishes.ok && wishes.failure.code === 'VALUE_INVALID')
    })
})
