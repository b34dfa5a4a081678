import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRequest, type Request } from './request.ts'

function asked(...argv: string[]): Request {
  const read = parseRequest(argv)
  assert.ok(read.ok && typeof read.value === 'object', JSON.stringify(read))
  return read.value
}

test('the short words of gpgdir, and beginnings of long ones', () => {
  assert.deepEqual(
    [asked('-e', 'x').operation, asked('--encrypt-d', 'x').operation, asked('--sign', 'x').operation],
    ['encrypt', 'encrypt', 'sign'],
  )
  const { wipe, key, armor, force, jobs } = asked('-d', '.', '-WPF', '-K', 'a b', '--jobs', '3')
  assert.deepEqual(
    [wipe, key, armor, force, jobs],
    [{ program: '/usr/bin/wipe', args: ['-f', '-s'] }, { id: 'a b' }, true, true, 3],
  )
  assert.deepEqual(asked('-e', '.', '-W', '--wipe-cmdline', '-Q  1').wipe?.args, ['-Q', '1'])
  assert.equal(asked('-e', '.', '--no-locale').locale, undefined)
  assert.equal(asked('-e', '.').locale, 'C')
  assert.equal(asked('-t').operation, 'test')
  assert.deepEqual(asked('-e', '.', '--Exclude', 'a', '--Exclude', 'b').patterns.exclude, ['a', 'b'])
})

test('who is asked for a passphrase', () => {
  assert.deepEqual(
    [['-a'], ['-A', 'x'], ['--no-password'], ['-p', 'f'], []].map((more) => asked('-e', '.', ...more).passphrase),
    ['agent', 'agent', 'none', { file: 'f' }, 'ask'],
  )
})

for (const [argv, told] of [
  [['-e', 'a', '-d', 'b'], '--encrypt-dir and --decrypt-dir contradict each other'],
  [['-e', 'a', '-S', '-K', 'k'], '-S uses no key: leave -K and -D away'],
  [['--verify-dir', 'a', '-S'], '-S has no meaning with signatures'],
  [['-e', 'a', '-W', '--no-delete'], '-W and --no-delete contradict each other'],
  [['-e', 'a', '--wipe-path', '/x'], '--wipe-path has no effect without -W'],
  [['-e', 'a', '--overwrite-d'], '--overwrite-decrypted is for -d'],
  [['-e', ''], '--encrypt-dir needs a folder'],
  [['-e', '.', '--Lib-dir', 'x'], '--Lib-dir: there are no Perl modules to load'],
  [['-e', '.', '--Ex', 'x'], '--Ex is ambiguous: it may mean --Exclude, --Exclude-from'],
] as const)
  test(`“${argv.join(' ')}” is refused`, () => {
    const read = parseRequest(argv)
    assert.equal(read.ok ? '' : read.failure.detail, told)
  })

test('no words make it throw', () => {
  fc.assert(fc.property(fc.array(fc.string()), (argv) => void parseRequest(argv)))
})
