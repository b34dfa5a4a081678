import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isHostName, parseNatHost } from './nat-target.ts'

for (const name of ['a', 'web1', '1web', 'inner.example', 'a-b.c-d.', 'x.1a', `${'a'.repeat(63)}.b`]) {
  test(`${name} is a name`, () => {
    const host = parseNatHost(name)
    assert.ok(host.ok && isHostName(host.value))
    assert.equal(host.value.name, name)
  })
}

for (const address of ['10.0.0.1', '2001:db8::5'])
  test(`${address} is an address`, () => assert.deepEqual(parseNatHost(address), { ok: true, value: address }))

const long = `${'a.'.repeat(127)}a`
for (const text of ['', '.', 'a..b', '-a', 'a-', 'a_b', 'a b', 'a/b', 'é', `${'a'.repeat(64)}`, long, 'a;b', '$(x)'])
  test(`${text} is neither`, () => assert.equal(parseNatHost(text).ok, false))

for (const text of ['10.0.1', '10', '010.0.0.1', '256.1.1.1', 'a.0x7f', 'a.1', '1.2.3.4.'])
  test(`${text} would be resolved as an address, so it is neither`, () => {
    const host = parseNatHost(text)
    assert.ok(!host.ok)
    assert.equal(host.failure.rule, 'host-name')
  })
