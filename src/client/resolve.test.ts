import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemResolve } from './resolve.ts'

describe('a server’s name', () => {
  const addresses: [string, 4 | 6 | undefined, string][] = [
    ['127.0.0.1', undefined, '127.0.0.1'],
    ['127.0.0.1', 4, '127.0.0.1'],
    ['2001:DB8::1', 6, '2001:db8::1'],
    ['[2001:db8::1]', undefined, '2001:db8::1'],
  ]
  for (const [host, family, address] of addresses)
    it(`${host} is an address${family === undefined ? '' : ` of IPv${family}`}`, async () => {
      assert.deepEqual(await systemResolve(host, family), { ok: true, value: [address] })
    })
  it('localhost is on this host', async () => {
    const found = await systemResolve('localhost', 4)
    assert.deepEqual(found, { ok: true, value: ['127.0.0.1'] })
  })
  for (const [host, family] of [
    ['127.0.0.1', 6],
    ['::1', 4],
    ['no-such-host.invalid', undefined],
    ['', undefined],
  ] as const)
    it(`“${host}” ${family ?? ''} is refused`, async () => {
      const found = await systemResolve(host, family)
      assert.ok(!found.ok && found.failure.code === 'NAME_UNRESOLVED')
    })
})
