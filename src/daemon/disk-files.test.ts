import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import type { FailureCode } from '../failure-codes.ts'
import { systemPath } from '../system-path.ts'
import { diskFiles } from './disk-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-files-'))
after(() => rmSync(folder, { recursive: true }))
const me = process.getuid?.() ?? 0
const path = join(folder, 'access.conf')
writeFileSync(path, 'SOURCE ANY\n')

const modes: [mode: number, secret: boolean, expected: 'text' | FailureCode][] = [
  [0o600, true, 'text'],
  [0o400, true, 'text'],
  [0o644, false, 'text'],
  [0o640, true, 'CONFIG_EXPOSED'],
  [0o604, true, 'CONFIG_EXPOSED'],
  [0o620, true, 'CONFIG_EXPOSED'],
  [0o602, false, 'CONFIG_EXPOSED'],
  [0o664, false, 'CONFIG_EXPOSED'],
]
for (const [mode, secret, expected] of modes) {
  test(`mode ${mode.toString(8)} of a file ${secret ? 'with' : 'without'} keys: ${expected}`, () => {
    chmodSync(path, mode)
    const read = diskFiles(secret, me).read(path)
    assert.equal(read.ok ? 'text' : read.failure.code, expected)
    if (!read.ok) assert.match(read.failure.suggestion ?? '', /^chmod (600|go-w) .*access\.conf$/)
  })
}

test('a file of somebody else is refused', { skip: me === 0 ? false : 'only root can give a file away' }, () => {
  chmodSync(path, 0o600)
  chownSync(path, 12345, 12345)
  const read = diskFiles(true, me).read(path)
  chownSync(path, 0, 0)
  assert.equal(read.ok ? '' : read.failure.code, 'CONFIG_EXPOSED')
})

for (const [what, name] of [
  ['a file that is not there', 'nowhere.conf'],
  ['a folder', '.'],
] as const) {
  test(`${what} is unreadable, and said so with its name`, () => {
    const read = diskFiles(false, me).read(join(folder, name))
    assert.equal(read.ok ? '' : read.failure.code, 'CONFIG_UNREADABLE')
    assert.ok(!read.ok && read.failure.detail.includes(folder))
  })
}

for (const [mode, expected] of [
  [0o700, 'text'],
  [0o755, 'text'],
  [0o1777, 'text'],
  [0o777, 'CONFIG_EXPOSED'],
  [0o775, 'CONFIG_EXPOSED'],
  [0o702, 'CONFIG_EXPOSED'],
] as const)
  for (const [what, name] of [
    ['a file', 'fwknopd.conf'],
    ['a link to a file', 'link.conf'],
  ] as const)
    test(`${what} in a folder of mode ${mode.toString(8)}: ${expected}`, () => {
      const inner = mkdtempSync(join(folder, 'open-'))
      writeFileSync(join(inner, 'fwknopd.conf'), '', { mode: 0o600 })
      const path = name === 'link.conf' ? join(folder, `${basename(inner)}-${name}`) : join(inner, name)
      if (name === 'link.conf') symlinkSync(join(inner, 'fwknopd.conf'), path)
      chmodSync(inner, mode)
      const read = diskFiles(true, me).read(path)
      assert.equal(read.ok ? 'text' : read.failure.code, expected)
      if (!read.ok) assert.equal(read.failure.suggestion, `chmod go-w ${inner}`)
    })

test('a file in a folder of somebody else is refused', { skip: me !== 0 && 'only root can give a folder away' }, () => {
  const inner = mkdtempSync(join(folder, 'given-'))
  writeFileSync(join(inner, 'a.conf'), '', { mode: 0o600 })
  chownSync(inner, 12345, 12345)
  const read = diskFiles(true, me).read(join(inner, 'a.conf'))
  assert.equal(read.ok ? '' : read.failure.code, 'CONFIG_EXPOSED')
})

test('a named pipe is refused, and nobody has to write to it first', () => {
  const pipe = join(folder, 'pipe.conf')
  execFileSync('mkfifo', ['-m', '600', pipe])
  // In a process of its own, which can be ended if it hangs.
  const program = `import { diskFiles } from ${JSON.stringify(join(import.meta.dirname, 'disk-files.ts'))}
    console.log(JSON.stringify(diskFiles(true, ${me}).read(${JSON.stringify(pipe)})))`
  const argv = ['--conditions=ghostport-source', '--input-type=module', '-e', program]
  const said = execFileSync(process.execPath, argv, { timeout: 20_000, encoding: 'utf8' })
  assert.equal(JSON.parse(said).failure.code, 'CONFIG_UNREADABLE')
})

test('a folder lists its *.conf files by name', () => {
  const inner = join(folder, 'stanzas')
  mkdirSync(inner)
  for (const name of ['b.conf', 'a.conf', 'notes.txt']) writeFileSync(join(inner, name), '')
  assert.deepEqual(diskFiles(true, me).list(inner), { ok: true, value: [join(inner, 'a.conf'), join(inner, 'b.conf')] })
})

test('names and text that are not UTF-8 are read as they are', () => {
  const inner = join(folder, 'gr\udcfcn')
  mkdirSync(systemPath(inner))
  const file = join(inner, '\udcfc.conf')
  writeFileSync(systemPath(file), Buffer.from('KEY gr\xfc\xdfe', 'latin1'), { mode: 0o600 })
  const files = diskFiles(true, me)
  assert.deepEqual(files.list(inner), { ok: true, value: [file] })
  assert.deepEqual(files.read(file), { ok: true, value: 'KEY gr\udcfc\udcdfe' })
})
