import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf } from '../../../test/support/host-of-values.ts'
import { isBefore, lookAtOwnedTables, parseVersion } from './kernel.ts'

describe('a table with an owner', () => {
  const RELEASE = '/proc/sys/kernel/osrelease'
  for (const [kernel, nft, wanted] of [
    ['6.12.57+deb13-amd64', '1.1.3', { possible: true, tooOld: [] }],
    ['6.9.0', '1.1.0', { possible: true, tooOld: [] }],
    ['6.8.12-generic', '1.1.3', { possible: false, tooOld: ['the kernel is 6.8.12-generic, and 6.9 is needed'] }],
    ['6.12.1', '1.0.6', { possible: false, tooOld: ['nftables is 1.0.6, and 1.1.0 is needed'] }],
    [
      '6.1.0-41-amd64',
      '1.0.6',
      {
        possible: false,
        tooOld: ['the kernel is 6.1.0-41-amd64, and 6.9 is needed', 'nftables is 1.0.6, and 1.1.0 is needed'],
      },
    ],
    ['6.1.0', undefined, { possible: false, tooOld: ['the kernel is 6.1.0, and 6.9 is needed'] }],
    ['6.12.0', undefined, undefined],
    [undefined, '1.1.3', undefined],
  ] as const)
    it(`kernel ${kernel ?? 'unknown'}, nft ${nft ?? 'unknown'}: ${wanted === undefined ? 'not known' : wanted.possible}`, async () => {
      const host = hostOf({
        files: kernel === undefined ? {} : { [RELEASE]: `${kernel}\n` },
        said: nft === undefined ? {} : { 'version of nft': `nftables v${nft} (Commodore Bullmoose #4)\n` },
      })
      const found = await lookAtOwnedTables(host)
      assert.deepEqual(found.known ? found.value : undefined, wanted)
    })

  it('versions are compared by numbers', () => {
    assert.deepEqual(parseVersion('6.18.44-fc-v769'), [6, 18, 44])
    assert.equal(parseVersion('v1'), undefined)
    assert.equal(isBefore([6, 9], [6, 10]), true)
    assert.equal(isBefore([1, 1], [1, 1, 0]), false)
    assert.equal(isBefore([1, 1, 0], [1, 1]), false)
    assert.equal(isBefore([2], [1, 9, 9]), false)
  })
})
