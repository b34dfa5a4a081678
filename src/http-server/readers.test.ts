/** The readers of what strangers send: no text makes them throw, and what they accept is what it seems. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type IpAddress, parseAddress, parseNetwork } from '../packet/address.ts'
import { milliseconds } from '../units.ts'
import { Connections } from './connections.ts'
import { visitorOf } from './forwarded.ts'
import { judgeHost, parseHostName } from './host-list.ts'
import { readBody } from './request-body.ts'
import { judgeHead, parseFields } from './request-head.ts'
import { RateLimit, sourceOf } from './sources.ts'

const address = (text: string): IpAddress => {
  const parsed = parseAddress(text)
  assert.ok(parsed.ok)
  return parsed.value
}
const network = (text: string) => {
  const parsed = parseNetwork(text)
  assert.ok(parsed.ok)
  return parsed.value
}

describe('names of hosts', () => {
  const table: readonly (readonly [text: string, read: string | undefined])[] = [
    ['gate.example', 'gate.example'],
    ['GATE.example:443', 'gate.example 443'],
    ['localhost:8080', 'localhost 8080'],
    ['192.0.2.1', '192.0.2.1'],
    ['[2001:DB8::0:1]:443', '2001:db8::1 443'],
    ['gate.example.', undefined],
    ['gate.example:', undefined],
    ['gate.example:0', undefined],
    ['gate.example:65536', undefined],
    ['2130706433', undefined],
    ['192.0.2.1.', undefined],
    ['192.0.2', undefined],
    ['2001:db8::1', undefined],
    ['[192.0.2.1]', '192.0.2.1'],
    ['a..b', undefined],
    ['-a', undefined],
    ['a b', undefined],
    ['a,b', undefined],
    ['user@gate.example', undefined],
    ['gate.example/x', undefined],
    ['', undefined],
  ]
  for (const [text, read] of table)
    it(`“${text}”: ${read ?? 'none'}`, () => {
      const host = parseHostName(text)
      assert.equal(host && [host.name, host.port].filter((it) => it !== undefined).join(' '), read)
    })

  it('only a name of the list passes, and only at its port, where it has one', () => {
    const list = [parseHostName('gate.example'), parseHostName('other.example:8443')].flatMap((it) => it ?? [])
    for (const text of ['gate.example', 'Gate.Example:1', 'other.example:8443']) assert.ok(judgeHost(text, list), text)
    for (const text of ['other.example', 'other.example:443', 'x.gate.example', 'gate.example.x'])
      assert.equal(judgeHost(text, list), undefined, text)
  })
})

describe('forwarded addresses', () => {
  const proxies = { networks: [network('10.0.0.0/8')], overUnixSocket: true }

  it('whatever a visitor writes, what the nearest proxy adds counts', () => {
    fc.assert(
      fc.property(fc.string(), (forged) => {
        const of = visitorOf(
          address('10.0.0.1'),
          (name) => (name === 'x-forwarded-for' ? [forged, '198.51.100.7'] : []),
          proxies,
        )
        if (of !== 'unreadable') assert.equal(of.source, '198.51.100.7')
      }),
    )
  })

  it('no header makes it throw, and none counts of a peer that is no proxy', () => {
    const values = fc.array(
      fc.oneof(fc.string(), fc.constantFrom('for=1.2.3.4', 'for="[::1]:x"', 'for=_hidden', ',', ';')),
    )
    fc.assert(
      fc.property(values, values, (standard, usual) => {
        const headers = (name: string) => (name === 'forwarded' ? standard : usual)
        visitorOf(address('10.0.0.1'), headers, proxies)
        visitorOf(undefined, headers, proxies)
        const of = visitorOf(address('192.0.2.1'), headers, proxies)
        assert.deepEqual(of, { source: '192.0.2.1', secure: undefined })
      }),
    )
  })

  it('the scheme is that of the proxy that saw the visitor', () => {
    const secure = (headers: Readonly<Record<string, string>>) => {
      const of = visitorOf(undefined, (name) => (headers[name] === undefined ? [] : [headers[name]]), proxies)
      return of === 'unreadable' ? of : of.secure
    }
    assert.equal(secure({ 'x-forwarded-for': '192.0.2.1' }), true)
    assert.equal(secure({ 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'http' }), false)
    assert.equal(secure({ forwarded: 'for=192.0.2.1;proto=http' }), false)
    assert.equal(secure({ forwarded: 'for=192.0.2.1;proto=https, for=10.0.0.9;proto=http' }), true)
  })
})

describe('sources', () => {
  it('an IPv6 source is a network of 64 bits', () => {
    assert.equal(sourceOf(address('2001:db8:1:2:3:4:5:6')), '2001:db8:1:2::/64')
    assert.equal(sourceOf(address('192.0.2.1')), '192.0.2.1')
  })

  it('a burst passes, then as many as come back, and the table is bounded', () => {
    const limit = new RateLimit(3, 2, 10)
    const taken = (at: number): boolean => limit.take('a', milliseconds(at))
    assert.deepEqual([taken(0), taken(0), taken(0), taken(0)], [true, true, true, false])
    assert.deepEqual([taken(400), taken(500), taken(500)], [false, true, false])
    for (let i = 0; i < 100; i++) limit.take(`${i}`, milliseconds(0))
    assert.equal(limit.size, 10)
  })

  it('no order of connections passes a limit, or leaves anything behind', () => {
    const step = fc.record({
      source: fc.constantFrom('a', 'b', 'c', undefined),
      leaves: fc.nat(20),
      opens: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const table = new Connections<object>(5, 3)
        const open: object[] = []
        for (const { source, leaves, opens } of steps) {
          if (opens) {
            const one = {}
            const added = table.add(one, source)
            if (added === 'refused') continue
            open.push(one)
            if (added.ends !== undefined) open.splice(open.indexOf(added.ends), 1)
          } else if (open.length > 0) table.remove(open.splice(leaves % open.length, 1)[0] ?? {})
          assert.equal(table.count, open.length)
          assert.ok(table.count <= 10)
        }
        for (const one of open) table.remove(one)
        assert.equal(table.count, 0)
        assert.equal(table.sources, 0)
      }),
    )
  })
})

it('no head and no body makes a reader throw', () => {
  const word = fc.oneof(fc.string(), fc.constantFrom('host', 'content-length', 'transfer-encoding', 'chunked', '5'))
  fc.assert(
    fc.property(word, word, fc.array(word), fc.uint8Array(), (method, target, rawHeaders, bytes) => {
      judgeHead({ method, target, version: '1.1', rawHeaders }, 1_000)
      parseFields(target)
      readBody({ kind: 'json', most: 100, read: (value) => value }, bytes)
      readBody({ kind: 'form', most: 100, read: (fields) => fields }, bytes)
    }),
  )
})
