import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf, unitsText } from '../../../test/support/host-of-values.ts'
import { known } from '../known.ts'
import { lookAtFwknop } from './fwknop.ts'
import { lookAtOwnState } from './own-state.ts'

const systemd = { '/run/systemd/system': { kind: 'folder', owner: 0, mode: 0o755 } } as const

describe('an existing set-up of fwknop', () => {
  it('is its program, its files, its unit and its process', async () => {
    const host = hostOf({
      stats: systemd,
      said: { 'state of units': unitsText({ 'fwknop-server.service': { ActiveState: 'active' } }) },
      files: {
        '/usr/sbin/fwknopd': '\x7fELF\x02',
        '/etc/fwknop/access.conf': 'SOURCE ANY\n',
        '/run/fwknop/fwknopd.pid': '77\n',
        '/proc/77/comm': 'fwknopd\n',
      },
    })
    const found = await lookAtFwknop(host)
    assert.ok(found.known)
    const { installed, files, pid, unit } = found.value
    assert.deepEqual([installed, files, pid, unit?.active], [true, ['/etc/fwknop/access.conf'], 77, 'active'])
  })

  it('is not ghostport’s own program of that name, nor an old pid file', async () => {
    const files = {
      '/usr/sbin/fwknopd': '#!/bin/sh\nexec ghostport\n',
      '/run/fwknop/fwknopd.pid': '77\n',
      '/proc/77/comm': 'bash\n',
    }
    assert.deepEqual(await lookAtFwknop(hostOf({ files })), known({ installed: false, files: [] }))
  })
})

describe('ghostport’s own state', () => {
  it('is its units, its files and what a running server says', async () => {
    const found = await lookAtOwnState(
      hostOf({
        stats: systemd,
        said: {
          'state of units': unitsText({ 'ghostport.service': { ActiveState: 'active', UnitFileState: 'enabled' } }),
        },
        files: { '/etc/fwknop/fwknopd.conf': '' },
        control: { version: 1 },
      }),
    )
    assert.ok(found.known)
    const { service, gate, files, status } = found.value
    assert.equal(service.known && service.value?.enabled, 'enabled')
    assert.deepEqual([gate, files, status], [known(undefined), ['/etc/fwknop/fwknopd.conf'], known({ version: 1 })])
  })

  it('without systemd there are no units to know of', async () => {
    const found = await lookAtOwnState(hostOf({}))
    assert.deepEqual(found.known && found.value.service, { known: false, because: 'systemd does not run this host' })
  })
})
