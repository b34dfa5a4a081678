/** No text of the system makes a parser throw. Each is tried with anything, and with valid texts that were damaged. */
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePenalties } from '../doctor/looks/ssh-greeting.ts'
import { tableFlags } from '../doctor/looks/table-owner.ts'
import { differencesOf, filesOf } from '../doctor/looks/unit-file.ts'
import { parseTimex } from './clock.ts'
import { readMark } from './connection-mark.ts'
import { parseOsRelease } from './distribution.ts'
import { parseDefaultRoutes, parseDefaultRoutes6 } from './interfaces.ts'
import { parseVersion } from './kernel.ts'
import { flushes, isUfwEnabled } from './managers.ts'
import { parseProcess } from './processes.ts'
import { parseSshConnection } from './session.ts'
import { parseSocketTable } from './socket-table.ts'
import { parseListen } from './sshd.ts'
import { parseSystemdVersion, parseUnits } from './systemd.ts'

const ROW =
  '   0: 0200000A:0016 0100000A:D431 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0000000000000000 100 0\n'
const parsers: readonly (readonly [name: string, parse: (text: string) => unknown, valid: string])[] = [
  ['parseOsRelease', parseOsRelease, 'ID=debian\nNAME="a \\"b\\""\n'],
  ['parseSystemdVersion', parseSystemdVersion, 'systemd 257 (257.9)\n'],
  ['parseUnits', parseUnits, 'Id=a.service\nActiveState=active\nListen=0.0.0.0:22 (Stream)\n\nId=b\n'],
  ['parseVersion', parseVersion, '6.12.57+deb13'],
  ['parseDefaultRoutes', parseDefaultRoutes, 'eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n'],
  ['parseDefaultRoutes6', parseDefaultRoutes6, `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 x 1 1 1 00000003 eth0\n`],
  ['parseSocketTable', (text) => parseSocketTable(text, 'tcp', 4), ROW],
  ['parseProcess', parseProcess, '7 (a b) S 3 7'],
  ['parseListen', parseListen, '[::]:22 (Stream)'],
  ['parseSshConnection', parseSshConnection, '10.0.0.1 54321 10.0.0.2 22'],
  ['isUfwEnabled', isUfwEnabled, 'ENABLED=yes\n'],
  ['flushes', flushes, 'flush ruleset\n'],
  ['filesOf', filesOf, 'ExecStart=/x serve -c /a -a /b\n'],
  ['differencesOf', (text) => differencesOf(text, '[Service]\n'), '[Service]\nNice=1\\\n 2\n'],
  ['parsePenalties', parsePenalties, 'persourcepenalties authfail:5\n'],
  ['tableFlags', (text) => tableFlags(text, 'x'), 'table inet x { # progname nft\n\tflags owner,persist\n}\n'],
]

describe('no text makes a parser throw', () => {
  for (const [name, parse, valid] of parsers) {
    const damaged = fc
      .tuple(fc.nat(valid.length), fc.nat(valid.length), fc.string({ unit: 'binary', maxLength: 20 }))
      .map(([from, to, more]) => valid.slice(0, from) + more + valid.slice(to))
    it(name, () => {
      fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), damaged), (text) => void parse(text)))
    })
  }

  it('nor do bytes of the kernel', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer(), (bytes, state) => {
        parseTimex(bytes, state)
        readMark(bytes)
      }),
    )
  })
})
