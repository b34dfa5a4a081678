import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { compareScans } from './compare.ts'
import type { PortSeen } from './connect-scan.ts'
import { parseScan } from './nmap-result.ts'
import { rangesOf, runOf } from './own-scan.ts'
import { showRanges } from './port-table.ts'
import { parsePortList, USUAL_PORTS } from './ports.ts'
import { parseTarget, whyNotScanned } from './target.ts'
import { writeResult } from './write-result.ts'

const address = (text: string): IpAddress => {
  const parsed = parseAddress(text)
  assert.ok(parsed.ok)
  return parsed.value
}

describe('a scan of our own', () => {
  it('is the same after it was written and read', () => {
    const seen = fc.record({
      state: fc.constantFrom('open', 'closed', 'filtered'),
      banner: fc.option(
        fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => `x${text}x`),
        { nil: undefined },
      ),
    })
    const answers = fc.dictionary(fc.integer({ min: 1, max: 65_535 }).map(String), seen, { maxKeys: 120 })
    fc.assert(
      fc.property(answers, answers, (four, six) => {
        const asPorts = (from: typeof four): Map<number, PortSeen> =>
          new Map(
            Object.entries(from).map(([port, { state, banner }]) => [
              Number(port),
              { state, ...(state === 'open' && banner !== undefined && { banner }) } as PortSeen,
            ]),
          )
        const ports = [...Object.keys(four), ...Object.keys(six)].map(Number)
        const made = new Map([
          [address('192.0.2.1'), asPorts(four)],
          [address('2001:db8::1'), asPorts(six)],
        ])
        const run = runOf(made, ports, 'ghostport outside -p 1 "x" <y>')
        const read = parseScan(writeResult(run, { start: new Date(0), end: new Date(5000) }))
        assert.ok(read.ok, read.ok ? '' : read.failure.detail)
        assert.deepEqual([read.value.scanner, read.value.commandLine], [run.scanner, run.commandLine])
        // What cannot be printed is written as it is shown.
        const plain = (text: string): string => text.replace(/\\x[0-9a-f]{2}|\\u\{[0-9a-f]+\}|[^\x20-\x7e]/g, '')
        const differences = compareScans(run, read.value).differences.filter(
          ({ before, after }) => plain(before) !== plain(after),
        )
        assert.deepEqual(differences, [])
      }),
      { numRuns: 100 },
    )
  })
  it('asks ports that are named as lists and ranges', () => {
    for (const [text, ports] of [
      ['80', '80'],
      ['443,80,81', '80-81,443'],
      ['8000-8003,8002', '8000-8003'],
      ['-', '1-65535'],
    ] as const) {
      const parsed = parsePortList(text)
      assert.equal(parsed.ok && showRanges(rangesOf(parsed.value)), ports)
    }
    for (const text of ['', '0', '65536', '9-1', 'ssh', '22,', '1-', '-5', '22;23', 'T:80'])
      assert.ok(!parsePortList(text).ok, text)
    assert.deepEqual(new Set(USUAL_PORTS).size, USUAL_PORTS.length)
  })
  it('is of one host, named by a name or an address', () => {
    for (const [text, host] of [
      ['host.example', 'host.example'],
      ['HOST-1', 'HOST-1'],
      ['192.0.2.10', '192.0.2.10'],
      ['[2001:DB8::1]', '2001:db8::1'],
      ['::ffff:192.0.2.1', '192.0.2.1'],
    ] as const)
      assert.deepEqual(parseTarget(text), { ok: true, value: host })
    for (const text of [
      '192.0.2.0/24',
      '2001:db8::/64',
      '192.0.2.*',
      '192.0.2.1-9',
      '192.0.2',
      '10',
      'a,b',
      'a b',
      '-oX',
      '',
      'a/b',
      'fe80::1%eth0',
      'http://h/',
      '$(id)',
      'h;id',
      '😀',
    ]) {
      const parsed = parseTarget(text)
      assert.ok(!parsed.ok && parsed.failure.code === 'VALUE_INVALID', text)
    }
  })
  it('is not of this host, nor of more than one', () => {
    const own = new Set(['192.0.2.7', '2001:db8::7'])
    for (const [text, why] of [
      ['127.0.0.1', /scans itself/],
      ['127.8.8.8', /scans itself/],
      ['::1', /scans itself/],
      ['192.0.2.7', /scans itself/],
      ['2001:db8::7', /scans itself/],
      ['0.0.0.0', /not the address of one host/],
      ['::', /not the address of one host/],
      ['224.0.0.1', /not the address of one host/],
      ['255.255.255.255', /not the address of one host/],
      ['ff02::1', /not the address of one host/],
    ] as const)
      assert.match(whyNotScanned(address(text), own) ?? 'may be', why)
    for (const text of ['192.0.2.10', '2001:db8::10', '223.1.1.1'])
      assert.equal(whyNotScanned(address(text), own), undefined)
  })
})
