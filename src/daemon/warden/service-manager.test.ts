import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AF_UNIX, libc, SOCK_CLOEXEC, SOCK_DGRAM } from '../../system/libc.ts'
import { receiveDescriptors } from '../../system/pass-descriptors.ts'
import { sendDatagram, socketAddress } from '../../system/unix-datagram.ts'
import { serviceManager } from './service-manager.ts'

describe('NOTIFY_SOCKET', () => {
  const addresses: readonly (readonly [name: string, bytes: string | undefined])[] = [
    ['/run/systemd/notify', '\x01\x00/run/systemd/notify\x00'],
    ['@/org/manager', '\x01\x00\x00/org/manager'],
    [`/${'s'.repeat(106)}`, `\x01\x00/${'s'.repeat(106)}\x00`],
    [`/${'s'.repeat(107)}`, undefined],
    ['@', undefined],
    ['/', undefined],
    ['run/notify', undefined],
    ['vsock:2:1234', undefined],
  ]
  for (const [name, bytes] of addresses)
    it(`${name.slice(0, 24)}: ${bytes === undefined ? 'refused' : 'an address'}`, () => {
      const address = socketAddress(name)
      assert.equal(address && Buffer.from(address).toString('latin1'), bytes)
      const environment = { NOTIFY_SOCKET: name, PATH: '/bin' }
      assert.equal(serviceManager(environment).ok, bytes !== undefined)
      assert.deepEqual(environment, { PATH: '/bin' }, 'handed on to children')
    })

  const waits = (variables: NodeJS.ProcessEnv): number | undefined => {
    const environment = { NOTIFY_SOCKET: '@/org/manager', ...variables }
    const manager = serviceManager(environment, 77)
    assert.deepEqual(environment, {}, 'handed on to children')
    return manager.ok ? manager.value.patience : undefined
  }

  it('comes with the time that the manager waits, for this process only', () => {
    assert.equal(waits({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '77' }), 60_000)
    assert.equal(waits({ WATCHDOG_USEC: '60000000' }), 60_000)
    assert.equal(waits({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '78' }), undefined)
    for (const time of ['', '0', '-1', '1e9', '60s', '9'.repeat(20)])
      assert.equal(waits({ WATCHDOG_USEC: time }), undefined)
    assert.equal(waits({}), undefined)
  })

  it('gets all in order, also if it was too busy for the first', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'ghostport-notify-')), 'socket')
    const native = libc()
    const address = socketAddress(path)
    assert.ok(address !== undefined)
    const listener = native.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    assert.equal(native.bind(listener, address, address.length), 0)
    while (sendDatagram(native, address, Buffer.from('full')) === 'sent');
    const manager = serviceManager({ NOTIFY_SOCKET: path })
    assert.ok(manager.ok)
    manager.value.reloading()
    await delay(30)
    const said: string[] = []
    const take = (): void => {
      for (;;) {
        const arrived = receiveDescriptors(listener, 4096, 'take')
        if (arrived === undefined || arrived === 'empty') return
        if (arrived.bytes.toString() !== 'full') said.push(arrived.bytes.toString().split('\n')[0] ?? '')
      }
    }
    take()
    manager.value.ready('receiving')
    for (let tries = 0; tries < 100 && said.length < 2; tries++) {
      await delay(10)
      take()
    }
    native.close(listener)
    rmSync(dirname(path), { recursive: true })
    assert.deepEqual(said, ['RELOADING=1', 'READY=1'])
  })

  it('gets no message that systemd would drop for its length: READY=1 would be lost with it', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'ghostport-notify-')), 'socket')
    const native = libc()
    const address = socketAddress(path)
    assert.ok(address !== undefined)
    const listener = native.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    assert.equal(native.bind(listener, address, address.length), 0)
    const manager = serviceManager({ NOTIFY_SOCKET: path })
    assert.ok(manager.ok)
    manager.value.ready('ä'.repeat(10_000))
    const arrived = receiveDescriptors(listener, 65_536, 'take')
    native.close(listener)
    rmSync(dirname(path), { recursive: true })
    assert.ok(arrived !== undefined && arrived !== 'empty')
    assert.match(arrived.bytes.toString(), /^READY=1\nSTATUS=ä{900}/)
    assert.ok(arrived.bytes.length < 4096)
  })

  it('may be missing: then nobody is told', () => {
    const manager = serviceManager({})
    assert.ok(manager.ok)
    manager.value.ready('receiving')
  })
})
