import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf } from '../../../test/support/host-of-values.ts'
import { lookAtDistribution, parseOsRelease } from './distribution.ts'

describe('os-release', () => {
  for (const [what, text, wanted] of [
    [
      'Debian',
      'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nID=debian\n',
      { id: 'debian', like: [], version: '13', name: 'Debian GNU/Linux 13 (trixie)' },
    ],
    [
      'one that is like others',
      'NAME=\'Rocky Linux\'\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.5"\n',
      { id: 'rocky', like: ['rhel', 'centos', 'fedora'], version: '9.5', name: 'Rocky Linux' },
    ],
    ['one without versions', 'ID=arch\n# VERSION_ID=1\n', { id: 'arch', like: [], name: 'arch' }],
    ['quotes as in a shell', 'ID=x\nPRETTY_NAME="a \\"b\\" \\$c"', { id: 'x', like: [], name: 'a "b" $c' }],
    ['nothing', '', { id: 'linux', like: [], name: 'linux' }],
  ] as const)
    it(`is read: ${what}`, () => {
      assert.deepEqual(parseOsRelease(text), wanted)
    })

  it('is also found in /usr/lib', () => {
    const found = lookAtDistribution(hostOf({ files: { '/usr/lib/os-release': 'ID=alpine\n' } }))
    assert.ok(found.known && found.value.id === 'alpine')
    assert.deepEqual(lookAtDistribution(hostOf({})), { known: false, because: 'this host has no os-release file' })
  })
})
