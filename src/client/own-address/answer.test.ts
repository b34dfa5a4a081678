import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseAnswer } from './answer.ts'

describe('the answer of a service', () => {
  for (const [text, family, address] of [
    ['203.0.113.7', 4, '203.0.113.7'],
    ['203.0.113.7\n', 4, '203.0.113.7'],
    ['203.0.113.7\r\n', 4, '203.0.113.7'],
    [' 10.0.0.5 ', 4, '10.0.0.5'],
    ['2001:DB8::7\n', 6, '2001:db8::7'],
  ] as const)
    it(`${JSON.stringify(text)} is an address`, () => assert.deepEqual(parseAnswer(text, family), { address }))

  for (const [text, family, problem] of [
    ['', 4, /not one IP address/],
    ['203.0.113.7 203.0.113.8', 4, /not one IP address/],
    ['203.0.113.7\n203.0.113.7', 4, /not one IP address/],
    ['203.0.113.7x', 4, /not one IP address/],
    ['203.0.113.007', 4, /not one IP address/],
    ['<html>203.0.113.7</html>', 4, /not one IP address/],
    ['203.0.113.7\0', 4, /not one IP address/],
    ['\u2028203.0.113.7', 4, /not one IP address/],
    ['203.0.113.7', 6, /not an IPv6 address/],
    ['::ffff:203.0.113.7', 6, /not an IPv6 address/],
    ['2001:db8::7', 4, /not an IPv4 address/],
    ['0.0.0.0', 4, /not the address of a host/],
    ['255.255.255.255', 4, /not the address of a host/],
    ['127.0.0.1', 4, /this host itself/],
    ['::1', 6, /this host itself/],
    ['169.254.1.1', 4, /link-local/],
    ['fe80::1', 6, /link-local/],
    ['fe80::1%eth0', 6, /not one IP address/],
  ] as const)
    it(`${JSON.stringify(text)} over IPv${family} is none`, () => {
      const answer = parseAnswer(text, family)
      assert.match('problem' in answer ? answer.problem : '', problem)
    })

  it('no text makes the parser throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.ipV4(), fc.ipV6()),
        fc.constantFrom<4 | 6>(4, 6),
        (text, family) => {
          const answer = parseAnswer(text, family)
          assert.ok('address' in answer || answer.problem.length > 0)
        },
      ),
    )
  })
})
