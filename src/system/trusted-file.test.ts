import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { makeAuthority } from '../../test/support/tls-certificate.ts'
import { readCertificates, readSecretFile, readSecretLine } from './trusted-file.ts'

const SOMEBODY = 65_534

describe('a file that the configuration names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-trusted-'))
  const at = (name: string): string => join(folder, name)
  const authority = makeAuthority('an authority').cert

  const kinds = [
    ['a secret', readSecretFile],
    ['the line of a secret', readSecretLine],
    ['certificates', readCertificates],
  ] as const

  before(() => {
    writeFileSync(at('ours'), authority, { mode: 0o600 })
    symlinkSync(at('ours'), at('link'))
    spawnSync('mkfifo', [at('pipe')])
    chmodSync(at('pipe'), 0o600)
    symlinkSync('/dev/zero', at('endless'))
    for (const [name, mode] of [
      ['changeable', 0o620],
      ['readable', 0o640],
    ] as const) {
      writeFileSync(at(name), authority)
      chmodSync(at(name), mode)
    }
  })
  after(() => rmSync(folder, { recursive: true }))

  for (const [kind, read] of kinds) {
    const code = (name: string): string => {
      const result = read(at(name))
      return result.ok ? 'read' : result.failure.code
    }
    it(`${kind}: ours is read, also by a link`, () => assert.deepEqual(['ours', 'link'].map(code), ['read', 'read']))

    it(`${kind}: is refused where others can change it`, { skip: process.getuid?.() !== 0 }, () => {
      assert.equal(code('changeable'), 'CONFIG_EXPOSED')
      writeFileSync(at('theirs'), authority, { mode: 0o600 })
      chownSync(at('theirs'), SOMEBODY, SOMEBODY)
      const refused = read(at('theirs'))
      assert.ok(!refused.ok)
      assert.equal(refused.failure.code, 'CONFIG_EXPOSED')
      assert.match(refused.failure.detail, /theirs belongs to user 65534, who could change it/)
      assert.match(refused.failure.suggestion ?? '', /^chown root /)
    })

    it(`${kind}: is a regular file`, () =>
      assert.deepEqual(['pipe', 'endless', 'none', '.'].map(code), Array(4).fill('CONFIG_UNREADABLE')))
  }

  it('a secret is read by nobody else', () => {
    assert.equal(readSecretFile(at('readable')).ok, false)
    assert.equal(readCertificates(at('readable')).ok, true)
  })
})
