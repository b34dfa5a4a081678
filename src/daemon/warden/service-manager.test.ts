import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { socketAddress } from '../../system/unix-datagram.ts'
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

  it('may be missing: then nobody is told', () => {
    const manager = serviceManager({})
    assert.ok(manager.ok)
    manager.value.ready('receiving')
  })
})
