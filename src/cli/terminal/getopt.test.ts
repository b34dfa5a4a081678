import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { getopt } from './getopt.ts'

const table = {
  'config-file': { short: 'c', value: 'FILE' },
  'key-gen': { short: 'k' },
  'key-gen-file': { value: 'FILE' },
  'key-len': { value: 'BYTES' },
  verbose: { short: 'v' },
  foreground: { short: 'f' },
  'spoof-source': { short: 'Q', value: 'ADDRESS', aliases: ['spoof-src'] },
} as const

const read = (...argv: string[]) => {
  const line = getopt(table, argv)
  if (!line.ok) return line.failure.detail
  const { given, operands } = line.value
  return [
    ...given.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)),
    ...operands.map((word) => `+${word}`),
  ].join(' ')
}

test('a line is read as the GNU C library reads it', () => {
  const lines: readonly (readonly [argv: readonly string[], meaning: string])[] = [
    [[], ''],
    [['-c', 'x'], 'config-file=x'],
    [['-cx'], 'config-file=x'],
    [['-c=x'], 'config-file==x'],
    [['--config-file', 'x'], 'config-file=x'],
    [['--config-file=x'], 'config-file=x'],
    [['--config-file='], 'config-file='],
    [['-c', '-v'], 'config-file=-v'],
    [['--conf', '--verbose'], 'config-file=--verbose'],
    [['--con=a=b'], 'config-file=a=b'],
    [['-vfv'], 'verbose foreground verbose'],
    [['-vfcx'], 'verbose foreground config-file=x'],
    [['-vc', 'x', 'y'], 'verbose config-file=x +y'],
    // A whole name is no beginning of another one.
    [['--key-gen'], 'key-gen'],
    [['--key-gen-', 'x'], 'key-gen-file=x'],
    [['--key-l', '3'], 'key-len=3'],
    [['--key-g'], '--key-g is ambiguous: it may mean --key-gen, --key-gen-file'],
    [['--k'], '--k is ambiguous: it may mean --key-gen, --key-gen-file, --key-len'],
    // Two names of one option.
    [['--spoof', '1.2.3.4'], 'spoof-source=1.2.3.4'],
    [['--spoof-src', '1.2.3.4'], 'spoof-source=1.2.3.4'],
    [['a', '-v', 'b', '--', '-f', '--'], 'verbose +a +b +-f +--'],
    [['-', '-v'], 'verbose +-'],
    [['-c', '--', '-v'], 'config-file=-- verbose'],
    [['-x'], 'there is no option -x'],
    [['-vx'], 'there is no option -x (in -vx)'],
    [['--foregroundd'], 'there is no option --foregroundd'],
    [['--verbose=1'], '--verbose takes no value'],
    [['-c'], '-c needs a value: -c FILE'],
    [['--key-len'], '--key-len needs a value: --key-len BYTES'],
    [
      ['--='],
      '-- is ambiguous: it may mean --config-file, --key-gen, --key-gen-file, --key-len, --verbose, --foreground, --spoof-source, --spoof-src',
    ],
  ]
  for (const [argv, meaning] of lines) assert.equal(read(...argv), meaning, argv.join(' '))
})

test('flags are counted, and the last value counts', () => {
  const line = getopt(table, ['-v', '--verb', '-c', 'a', '--config-file=b'])
  assert.ok(line.ok)
  const { options } = line.value
  assert.equal(options.verbose, 2)
  assert.equal(options.foreground, 0)
  assert.equal(options['config-file'], 'b')
  assert.equal(options['key-len'], undefined)
})

test('an unknown option brings the nearest one', () => {
  const line = getopt(table, ['--foregrund'])
  assert.ok(!line.ok)
  assert.equal(line.failure.suggestion, '--foreground')
  const dash = getopt(table, ['-verbos'])
  assert.ok(!dash.ok)
  assert.equal(dash.failure.suggestion, '--verbose')
})

test('no line makes it throw, and no value of an option is in a message', () => {
  const word = fc.oneof(fc.string(), fc.constantFrom('--', '-', '-c', '--key', '--key-len', '-vc', '--verbose=SECRET'))
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      const line = getopt(table, argv)
      if (!line.ok) assert.ok(!line.failure.detail.includes('SECRET'))
    }),
  )
})
