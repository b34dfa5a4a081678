import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { getopt } from '../terminal/getopt.ts'
import { formatLine, parseLine, wordsToSave } from './last-command.ts'
import { fwknopOptions } from './options.ts'

function saved(argv: readonly string[], withKeys = false): string {
  const line = getopt(fwknopOptions, argv)
  assert.ok(line.ok)
  return formatLine(wordsToSave(line.value.given, withKeys))
}

describe('the saved command line', () => {
  it('holds no key, however its option is spelled', () => {
    for (const option of [
      '--key-rijndael',
      '--key-r',
      '--key-base64-rijndael',
      '--key-base64-h',
      '--key-hmac',
      '--HTTP-proxy-p',
    ])
      for (const words of [[option, 'SECRET'], [`${option}=SECRET`]])
        assert.equal(saved(['-D', 'host', ...words, '-s']), 'fwknop -D host -s')
    assert.equal(saved(['-H', 'http://ada:SECRET@proxy:80', '-s']), 'fwknop -s')
    assert.equal(saved(['--HTTP-proxy=http://ada:SECRET@proxy:80', '-H', 'proxy']), 'fwknop -H proxy')
  })
  it('holds keys where that was asked for', () => {
    assert.equal(saved(['--key-r', 'a b', '-s'], true), "fwknop --key-r 'a b' -s")
  })
  it('keeps a value that is optional attached', () => {
    assert.equal(saved(['--HTTP-proxy', '--HTTP-proxy=p:1']), 'fwknop --HTTP-proxy --HTTP-proxy=p:1')
  })

  const lines: [text: string, words: string[] | RegExp][] = [
    ['fwknop -A tcp/22 -s    -D 127.0.0.1 ', ['-A', 'tcp/22', '-s', '-D', '127.0.0.1']],
    ['/usr/bin/fwknop -s', ['-s']],
    [String.raw`fwknop -C 'ls /' -U "a\"b" x\ y ''`, ['-C', 'ls /', '-U', 'a"b', 'x y', '']],
    ['fwknop', []],
    ['', /no command line/],
    ['rm -rf /', /does not begin with fwknop/],
    ["fwknop -C 'ls", /not closed/],
  ]
  for (const [text, words] of lines)
    it(`“${text}” is ${words instanceof RegExp ? 'refused' : 'read'}`, () => {
      const read = parseLine('file', text)
      if (words instanceof RegExp) assert.match(read.ok ? '' : read.failure.detail, words)
      else assert.deepEqual(read, { ok: true, value: words })
    })
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        assert.deepEqual(parseLine('file', formatLine(words)), { ok: true, value: words })
      }),
    )
  })
  it('never makes the reader throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseLine('file', `fwknop ${text}`)))
  })
})
