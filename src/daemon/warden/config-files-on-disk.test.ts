import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, describe, it, test } from 'node:test'
import type { FailureCode } from '../../failure-codes.ts'
import { systemPath } from '../../system/system-path.ts'
import { diskFiles } from './config-files-on-disk.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-files-'))
after(() => rmSync(folder, { recursive: true }))
const me = process.getuid?.() ?? 0
const path = join(folder, 'access.conf')

test('a file that is no configuration by its size is refused, and not read', () => {
  const huge = join(folder, 'huge.conf')
  writeFileSync(huge, '', { mode: 0o600 })
  truncateSync(huge, 2 ** 40)
  const read = diskFiles(me).read(huge)
  assert.ok(!read.ok)
  assert.deepEqual([read.failure.code, /larger than \d+ bytes/.test(read.failure.detail)], ['CONFIG_UNREADABLE', true])
})

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
    writeFileSync(path, secret ? 'SOURCE ANY\nKEY abc\n' : '# KEY abc\n%include keys.conf\n')
    chmodSync(path, mode)
    const read = diskFiles(me).read(path)
    assert.equal(read.ok ? 'text' : read.failure.code, expected)
    if (!read.ok) assert.match(read.failure.suggestion ?? '', /^chmod (600|go-w) .*access\.conf$/)
  })
}

test('a file of somebody else is refused', { skip: me === 0 ? false : 'only root can give a file away' }, () => {
  chmodSync(path, 0o600)
  chownSync(path, 12345, 12345)
  const read = diskFiles(me).read(path)
  chownSync(path, 0, 0)
  assert.equal(read.ok ? '' : read.failure.code, 'CONFIG_EXPOSED')
})

for (const [what, name] of [
  ['a file that is not there', 'nowhere.conf'],
  ['a folder', '.'],
] as const) {
  test(`${what} is unreadable, and said so with its name`, () => {
    const read = diskFiles(me).read(join(folder, name))
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
      const read = diskFiles(me).read(path)
      assert.equal(read.ok ? 'text' : read.failure.code, expected)
      if (!read.ok) assert.equal(read.failure.suggestion, `chmod go-w ${inner}`)
    })

test('a file in a folder of somebody else is refused', { skip: me !== 0 && 'only root can give a folder away' }, () => {
  const inner = mkdtempSync(join(folder, 'given-'))
  writeFileSync(join(inner, 'a.conf'), '', { mode: 0o600 })
  chownSync(inner, 12345, 12345)
  const read = diskFiles(me).read(join(inner, 'a.conf'))
  assert.equal(read.ok ? '' : read.failure.code, 'CONFIG_EXPOSED')
})

test('a named pipe is refused, and nobody has to write to it first', () => {
  const pipe = join(folder, 'pipe.conf')
  execFileSync('mkfifo', ['-m', '600', pipe])
  // In a process of its own, which can be ended if it hangs.
  const program = `import { diskFiles } from ${JSON.stringify(join(import.meta.dirname, 'config-files-on-disk.ts'))}
    console.log(JSON.stringify(diskFiles(${me}).read(${JSON.stringify(pipe)})))`
  const argv = ['--conditions=ghostport-source', '--input-type=module', '-e', program]
  const said = execFileSync(process.execPath, argv, { timeout: 20_000, encoding: 'utf8' })
  assert.equal(JSON.parse(said).failure.code, 'CONFIG_UNREADABLE')
})

test('a folder lists its *.conf files by name', () => {
  const inner = join(folder, 'stanzas')
  mkdirSync(inner)
  for (const name of ['b.conf', 'a.conf', 'notes.txt']) writeFileSync(join(inner, name), '')
  assert.deepEqual(diskFiles(me).list(inner), { ok: true, value: [join(inner, 'a.conf'), join(inner, 'b.conf')] })
})

test('names and text that are not UTF-8 are read as they are', () => {
  const inner = join(folder, 'gr\udcfcn')
  mkdirSync(systemPath(inner))
  const file = join(inner, '\udcfc.conf')
  writeFileSync(systemPath(file), Buffer.from('KEY gr\xfc\xdfe', 'latin1'), { mode: 0o600 })
  const files = diskFiles(me)
  assert.deepEqual(files.list(inner), { ok: true, value: [file] })
  assert.deepEqual(files.read(file), { ok: true, value: 'KEY gr\udcfc\udcdfe' })
})

describe('a file of keys', { skip: me !== 0 && 'only root can give a file away' }, () => {
  const ADA = 12_345
  const home = mkdtempSync(join(folder, 'home-'))
  chmodSync(folder, 0o711)
  chownSync(home, ADA, ADA)
  const keyFile = (name: string, mode = 0o600, owner = ADA): string => {
    const file = join(home, name)
    writeFileSync(file, 'KEY abc\n')
    chmodSync(file, mode)
    chownSync(file, owner, owner)
    return file
  }
  const judge = (file: string): string => {
    const read = diskFiles(me).readKeys(file)
    return read.ok ? read.value : `${read.failure.code} ${read.failure.detail} (${read.failure.suggestion})`
  }

  it('may be any user’s, in their own home', () => {
    assert.equal(judge(keyFile('spa.keys')), 'KEY abc\n')
    assert.equal(judge(keyFile('read-only', 0o400)), 'KEY abc\n')
  })
  it('is not read as the operator’s own file, which is theirs alone', () => {
    const read = diskFiles(me).read(keyFile('spa.conf'))
    assert.equal(read.ok ? '' : read.failure.code, 'CONFIG_EXPOSED')
  })
  it('may be root’s, in a folder of root’s', () => {
    const file = join(folder, 'root.keys')
    writeFileSync(file, 'KEY abc\n', { mode: 0o600 })
    assert.equal(judge(file), 'KEY abc\n')
  })
  it('is nobody else’s to read or change', () => {
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o644, 0o666]) {
      const file = keyFile('open.keys', mode)
      assert.match(judge(file), new RegExp(`^CONFIG_EXPOSED .*is a file of keys.*\\(chmod 600 ${file}\\)$`))
    }
  })
  it('is not another user’s, where the folder is ada’s', () => {
    assert.match(
      judge(keyFile('foreign.keys', 0o600, 23_456)),
      /^CONFIG_EXPOSED the folder .*home-\w+ belongs to user 12345/,
    )
    // A hard link of hers to a file of root's would look like this.
    assert.match(judge(keyFile('root.keys', 0o600, 0)), /^CONFIG_EXPOSED the folder .*home-\w+ belongs to user 12345/)
  })
  it('is not reached through a folder that others can change', () => {
    const open = join(home, 'open')
    mkdirSync(join(open, 'inner'), { recursive: true })
    const file = join(open, 'inner/spa.keys')
    writeFileSync(file, 'KEY abc\n', { mode: 0o600 })
    for (const path of [open, join(open, 'inner'), file]) chownSync(path, ADA, ADA)
    assert.equal(judge(file), 'KEY abc\n')
    chmodSync(open, 0o777)
    assert.match(judge(file), /^CONFIG_EXPOSED others can replace what is in the folder .*\/open \(mode 0777\)/)
  })
  it('may be linked to: by root, or by its owner, and by nobody else', () => {
    const file = keyFile('linked.keys')
    const byRoot = join(folder, 'ada.keys')
    symlinkSync(file, byRoot)
    assert.equal(judge(byRoot), 'KEY abc\n')
    const byAda = join(home, 'link.keys')
    symlinkSync('linked.keys', byAda)
    lchownSync(byAda, ADA, ADA)
    assert.equal(judge(byAda), 'KEY abc\n')
    lchownSync(byAda, 23_456, 23_456)
    assert.match(judge(byAda), /^CONFIG_EXPOSED the link .*link\.keys belongs to user 23456/)
  })
  it('is not another’s file that a link of ada’s leads to', () => {
    const secret = join(folder, 'secret.keys')
    writeFileSync(secret, 'KEY of root\n', { mode: 0o600 })
    const link = join(home, 'stolen.keys')
    symlinkSync(secret, link)
    lchownSync(link, ADA, ADA)
    assert.match(judge(link), /^CONFIG_EXPOSED the link .*stolen\.keys belongs to user 12345/)
    const way = join(home, 'way')
    symlinkSync(folder, way)
    lchownSync(way, ADA, ADA)
    assert.match(judge(join(way, 'secret.keys')), /^CONFIG_EXPOSED the link .*way belongs to user 12345/)
  })
  it('has a bound, is no device, and a link that leads in circles ends', () => {
    const large = keyFile('large.keys')
    truncateSync(large, 64 * 1024 + 1)
    assert.match(judge(large), /^CONFIG_UNREADABLE .*larger than 65536 bytes/)
    truncateSync(large, 64 * 1024)
    assert.equal(judge(large).length, 64 * 1024)
    for (const path of ['/dev/null', '/dev/tty', home])
      assert.match(judge(path), /^CONFIG_UNREADABLE .*not a regular file/)
    const circle = join(home, 'circle')
    symlinkSync('circle', circle)
    assert.match(judge(circle), /^CONFIG_UNREADABLE .*too many links/)
    assert.match(judge(join(home, 'nowhere')), /^CONFIG_UNREADABLE .*no such file/)
  })
  it('that is a named pipe is not waited for', () => {
    const pipe = join(home, 'pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    const program = `import { diskFiles } from ${JSON.stringify(join(import.meta.dirname, 'config-files-on-disk.ts'))}
      console.log(JSON.stringify(diskFiles(${me}).readKeys(${JSON.stringify(pipe)})))`
    const argv = ['--conditions=ghostport-source', '--input-type=module', '-e', program]
    const said = execFileSync(process.execPath, argv, { timeout: 20_000, encoding: 'utf8' })
    assert.equal(JSON.parse(said).failure.code, 'CONFIG_UNREADABLE')
  })
})
