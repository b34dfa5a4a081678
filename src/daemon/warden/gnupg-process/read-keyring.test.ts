import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readKeyring } from './read-keyring.ts'

const KEY = `${'A'.repeat(40)}.key`

function home(t: TestContext, files: readonly string[] = ['pubring.kbx']): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyring-'))
  chmodSync(folder, 0o700)
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'private-keys-v1.d'))
  for (const file of files) writeFileSync(join(folder, file), file, { mode: 0o600 })
  return folder
}

test('what decrypts and verifies is read, and nothing else', (t) => {
  const more = ['S.gpg-agent', 'random_seed', 'gpg-agent.conf', 'private-keys-v1.d/notes', 'trustdb.gpg', 'gpg.conf']
  const read = readKeyring(home(t, ['pubring.kbx', `private-keys-v1.d/${KEY}`, ...more]))
  assert(read.ok)
  assert.deepEqual(
    read.value.map(({ name, contents }) => [name, Buffer.from(contents, 'base64').toString()]),
    ['pubring.kbx', 'trustdb.gpg', 'gpg.conf', `private-keys-v1.d/${KEY}`].map((name) => [name, name]),
  )
})

const refused: [what: string, change: (folder: string) => string, code: string, detail: RegExp][] = [
  ['is not there', () => '/nowhere', 'CONFIG_UNREADABLE', /there is no such folder. A unit with ProtectHome=yes/],
  ['is a file', (folder) => join(folder, 'pubring.kbx'), 'CONFIG_UNREADABLE', /is not a folder/],
  [
    'holds no keyring',
    (folder) => {
      rmSync(join(folder, 'pubring.kbx'))
      return folder
    },
    'CONFIG_UNREADABLE',
    /holds no keyring .*gpg --homedir .* --import/,
  ],
  [
    'can be changed by others',
    (folder) => {
      chmodSync(folder, 0o777)
      return folder
    },
    'CONFIG_EXPOSED',
    /./,
  ],
  [
    'has a file that others can change',
    (folder) => {
      chmodSync(join(folder, 'pubring.kbx'), 0o666)
      return folder
    },
    'CONFIG_EXPOSED',
    /pubring\.kbx/,
  ],
  [
    'has a link in place of a file',
    (folder) => {
      symlinkSync('/etc/shadow', join(folder, 'trustdb.gpg'))
      return folder
    },
    'CONFIG_UNREADABLE',
    /trustdb\.gpg/,
  ],
]
for (const [what, change, code, detail] of refused)
  test(`a keyring that ${what} is refused`, (t) => {
    const read = readKeyring(change(home(t)))
    assert(!read.ok)
    assert.equal(read.failure.code, code)
    assert.match(read.failure.detail, detail)
  })
