import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { interpret } from '../../../test/support/bpf-interpreter.ts'
import { udpFrame } from '../../../test/support/udp-frame.ts'
import { fanOutProgram } from './fan-out.ts'

const SOCKETS = 8

const from4 = (source: string): Uint8Array => udpFrame({ source, destination: '192.0.2.1' })
const from6 = (source: string): Uint8Array => udpFrame({ source, destination: '2001:db8::1' })

/** How many of the sources each socket gets. */
function spread(family: 4 | 6, frames: readonly Uint8Array[]): readonly number[] {
  const program = fanOutProgram(family, randomBytes(12))
  const counts = new Array<number>(SOCKETS).fill(0)
  for (const frame of frames) {
    const socket = interpret(program, frame) % SOCKETS
    counts[socket] = (counts[socket] ?? 0) + 1
  }
  return counts
}

describe('the fan-out by source', () => {
  it('gives all packets of a source to one socket, whatever else is in them', () => {
    const program = fanOutProgram(4, randomBytes(12))
    const sockets = [1, 2, 3].map((n) =>
      interpret(program, udpFrame({ source: '198.51.100.7', sourcePort: 1000 * n, destination: `192.0.2.${n}` })),
    )
    assert.equal(new Set(sockets).size, 1)
  })

  it('takes an IPv6 network of 64 bits for one source', () => {
    const program = fanOutProgram(6, randomBytes(12))
    const socket = (source: string): number => interpret(program, from6(source))
    assert.equal(socket('2001:db8:1:2::1'), socket('2001:db8:1:2:ffff::9'))
  })

  // A careless hash puts neighbours together. 4 096 sources are 512 a socket; by chance, one in 10^12 times a socket
  // has fewer than 350.
  const neighbours4 = Array.from({ length: 4096 }, (_, i) => from4(`10.77.${i >> 8}.${i & 255}`))
  const farApart4 = Array.from({ length: 4096 }, (_, i) => from4(`${(i >> 4) & 127}.${i & 15}.0.1`))
  const neighbours6 = Array.from({ length: 4096 }, (_, i) => from6(`2001:db8:0:${i.toString(16)}::1`))
  const farApart6 = Array.from({ length: 4096 }, (_, i) => from6(`2001:${i.toString(16)}::1`))
  for (const [name, family, frames] of [
    ['neighbouring IPv4 addresses', 4, neighbours4],
    ['IPv4 addresses that differ in their first bytes', 4, farApart4],
    ['neighbouring IPv6 networks', 6, neighbours6],
    ['IPv6 networks that differ in their second word', 6, farApart6],
  ] as const)
    it(`spreads ${name} over all sockets`, () => {
      for (const count of spread(family, frames)) assert.ok(count > 350 && count < 700, `${count} of 4096`)
    })

  it('cannot be predicted: with other random numbers, other sources meet', () => {
    const socketsOf = (): string => {
      const program = fanOutProgram(4, randomBytes(12))
      return neighbours4
        .slice(0, 64)
        .map((frame) => interpret(program, frame) % SOCKETS)
        .join('')
    }
    assert.notEqual(socketsOf(), socketsOf())
  })

  it('gives what is too short for a source to the first socket', () => {
    assert.equal(interpret(fanOutProgram(4, randomBytes(12)), from4('10.0.0.1').subarray(0, 15)), 0)
  })
})
