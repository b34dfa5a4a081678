import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Change } from '../way-back/inverse.ts'
import { installedFiles } from './installed-files.ts'

const [first, second] = ['1'.repeat(64), '2'.repeat(64)]
const wrote = (path: string, hash: string, copy?: string): Change => ({
  what: `wrote ${path}`,
  inverse: { kind: 'file', path, wrote: hash, ...(copy !== undefined && { copy }) },
})

describe('the list of files that a purge removes', () => {
  it('has the files that were not there before, and no other', () => {
    const changes = [
      wrote('/etc/fwknop/access.conf', first),
      wrote('/etc/fwknop/fwknopd.conf', first, '/var/lib/ghostport/way-back/copies/1'),
      { what: 'made a folder', inverse: { kind: 'folder', path: '/etc/fwknop' } },
    ] as const
    assert.equal(installedFiles('', changes), `${first}  /etc/fwknop/access.conf\n`)
  })

  it('follows a file of ours that we write again', () => {
    const again = [wrote('/etc/fwknop/access.conf', second, '/var/lib/ghostport/way-back/copies/2')]
    assert.equal(installedFiles(`${first}  /etc/fwknop/access.conf\n`, again), `${second}  /etc/fwknop/access.conf\n`)
  })
})
