import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hostOf, unitsText } from '../../../test/support/host-of-values.ts'
import { lookAtSystemd, lookAtUnits, parseSystemdVersion, parseUnits } from './systemd.ts'

const folder = { kind: 'folder', owner: 0, mode: 0o755 } as const

describe('systemd', () => {
  it('is running where its folder is', async () => {
    const said = { 'version of systemd': 'systemd 257 (257.9-1~deb13u1)\n+PAM +AUDIT\n' }
    assert.deepEqual(await lookAtSystemd(hostOf({ said, stats: { '/run/systemd/system': folder } })), {
      known: true,
      value: { running: true, version: 257 },
    })
    assert.deepEqual(await lookAtSystemd(hostOf({ said })), { known: true, value: { running: false, version: 257 } })
    assert.deepEqual(await lookAtSystemd(hostOf({})), { known: true, value: { running: false } })
    assert.equal(parseSystemdVersion('command not found'), undefined)
  })

  it('does not know of units where it is not running, or says nothing', async () => {
    const off = await lookAtUnits(hostOf({}))
    assert.deepEqual(off, { known: false, because: 'systemd does not run this host' })
    const failed = { status: 1, output: '', complaint: 'Failed to connect to bus' }
    const stats = { '/run/systemd/system': folder }
    const silent = await lookAtUnits(hostOf({ stats, said: { 'state of units': failed } }))
    assert.deepEqual(silent, { known: false, because: 'systemctl failed: Failed to connect to bus' })
    const short = await lookAtUnits(hostOf({ stats, said: { 'state of units': 'Id=a\n\nId=b\n' } }))
    assert.deepEqual(short, { known: false, because: 'systemctl did not answer for each unit' })
  })

  it('shows each unit under the name that was asked, an alias too', () => {
    const units = parseUnits(
      unitsText({
        'ghostport.service': {
          ActiveState: 'failed',
          SubState: 'failed',
          UnitFileState: 'enabled',
          FragmentPath: '/etc/systemd/system/ghostport.service',
          Result: 'exit-code',
          NRestarts: '7',
          NeedDaemonReload: 'yes',
        },
        'sshd.service': { Id: 'ssh.service', ActiveState: 'active' },
        'ssh.socket': { ActiveState: 'active', Listen: '0.0.0.0:22 (Stream)|[::]:22 (Stream)' },
      }),
    )
    assert.deepEqual(units?.get('ghostport.service'), {
      load: 'loaded',
      active: 'failed',
      sub: 'failed',
      enabled: 'enabled',
      file: '/etc/systemd/system/ghostport.service',
      result: 'exit-code',
      restarts: 7,
      needsReload: true,
      listens: [],
    })
    assert.equal(units?.get('sshd.service')?.active, 'active')
    assert.deepEqual(units?.get('ssh.socket')?.listens, ['0.0.0.0:22 (Stream)', '[::]:22 (Stream)'])
    assert.equal(units?.get('ufw.service')?.load, 'not-found')
  })
})
