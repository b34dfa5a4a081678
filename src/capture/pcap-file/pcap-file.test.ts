import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { framesOf, pcap, pcapng } from '../../../test/support/pcap-writer.ts'
import { icmpFrame, tcpFrame, udpFrame } from '../../../test/support/udp-frame.ts'
import { packetFilter } from '../../config/server/pcap-filter.ts'
import type { Failure } from '../../result.ts'
import { port } from '../../units.ts'
import type { CapturedPacket } from '../capture.ts'
import { pcapFileCapture } from './pcap-file.ts'
import { openPcap } from './pcap-reader.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-pcap-'))
after(() => rmSync(folder, { recursive: true }))

/** All that a capture gives, and how it ends. */
function read(file: Uint8Array, filter?: string) {
  const path = join(folder, 'file')
  writeFileSync(path, file)
  const fd = openSync(path, 'r')
  try {
    const parsed = filter === undefined ? undefined : packetFilter(filter)
    const capture = pcapFileCapture({
      ...{ fd, ports: [port(62201)] },
      ...(parsed?.ok && { filter: parsed.value }),
    })
    const packets: CapturedPacket[] = []
    for (let batches = 0; capture.fds.length > 0; batches++) {
      assert.ok(batches < 1000)
      packets.push(...capture.receive(fd))
    }
    return { packets, end: capture.ended, taken: capture.taken, received: capture.counters().received }
  } finally {
    closeSync(fd)
  }
}

const six = { source: '2001:db8::7', destination: '2001:db8::1' }

describe('a capture file', () => {
  for (const [what, packet, source] of [
    ['IPv4', udpFrame({}), '192.0.2.7'],
    ['IPv6', udpFrame(six), '2001:db8::7'],
  ] as const)
    for (const [name, [linkType, frame]] of Object.entries(framesOf(packet)))
      it(`gives ${what} in ${name}`, () => {
        const { packets, end } = read(pcap([frame, frame], { linkType }))
        assert.deepEqual(
          packets.map(({ via, source, destinationPort, payload, doubt }) => [
            via,
            source,
            destinationPort,
            payload.length,
            doubt,
          ]),
          Array(2).fill(['pcap-file', source, 62201, 200, undefined]),
        )
        assert.equal(end, 'whole')
      })

  const frame = framesOf(udpFrame({}))['ethernet']?.[1] as Uint8Array
  const files: readonly [string, Uint8Array][] = [
    ['pcap, little-endian', pcap([frame])],
    ['pcap, big-endian', pcap([frame], { little: false })],
    ['pcap with nanoseconds', pcap([frame], { nanoseconds: true })],
    ['pcap with nanoseconds, big-endian', pcap([frame], { nanoseconds: true, little: false })],
    ['pcapng', pcapng([frame])],
    ['pcapng, big-endian', pcapng([frame], { little: false })],
    ['pcapng with simple packets', pcapng([frame], { kind: 'simple' })],
    ['pcapng with packets of the old kind', pcapng([frame], { kind: 'old', little: false })],
    ['two sections of pcapng', new Uint8Array(Buffer.concat([pcapng([]), pcapng([frame], { little: false })]))],
  ]
  for (const [name, file] of files)
    it(`may be ${name}; cut anywhere, it says at which byte`, () => {
      const whole = read(file)
      assert.deepEqual([whole.packets.length, whole.end], [1, 'whole'])
      for (let length = 0; length < file.length; length++) {
        const cut = file.subarray(0, length)
        let end: unknown
        try {
          end = read(cut).end
        } catch (error) {
          end = (error as Error).cause
        }
        // Between two records nobody can tell.
        if (end !== 'whole') assert.match((end as Failure).detail, /\(at byte \d+\)$/, `${length} bytes`)
      }
    })

  it('gives what the filter asks for, in order, and all of a long file', () => {
    const one = (bytes: Uint8Array) => framesOf(bytes)['ethernet']?.[1] as Uint8Array
    const { packets } = read(
      pcap([one(udpFrame({})), one(tcpFrame({})), one(icmpFrame({})), one(tcpFrame({ destinationPort: 22 }))]),
      'icmp or tcp port 80',
    )
    assert.deepEqual(
      packets.map(({ carrier }) => carrier),
      ['tcp', 'icmp'],
    )
    const many = read(pcap(Array(5000).fill(frame)))
    assert.deepEqual([many.packets.length, many.taken, many.received], [5000, 5000, 5000])
  })

  it('may have loopback addresses, and checksums that a card was to fill in', () => {
    const { packets } = read(
      pcap(
        [framesOf(udpFrame({ source: '127.0.0.1', destination: '127.0.0.1', checksum: 7 }))['null']?.[1] as Uint8Array],
        { linkType: 0 },
      ),
    )
    assert.deepEqual(
      packets.map(({ source, doubt, interfaceIndex }) => [source, doubt, interfaceIndex]),
      [['127.0.0.1', undefined, undefined]],
    )
  })

  const refused: readonly [string, Uint8Array, RegExp][] = [
    ['another file', new TextEncoder().encode('#!/bin/sh\n'.repeat(10)), /neither pcap nor pcapng/],
    ['an empty file', new Uint8Array(0), /too short/],
    ['an unknown link type', pcap([frame], { linkType: 105 }), /link type 105/],
    [
      'a packet that is longer than any',
      tampered(pcap([frame]), 32, [0xff, 0xff, 0xff, 0x7f]),
      /more than any can have \(at byte 24\)/,
    ],
    ['a block without length', tampered(pcapng([frame]), 28 + 4, [0, 0, 0, 0]), /a block of 0 bytes/],
    [
      'a packet that is longer than its block',
      tampered(pcapng([frame]), 28 + 20 + 32 + 20, [0xff, 0xff, 0, 0]),
      /in a block of/,
    ],
    [
      'a packet of an interface that is not described',
      tampered(pcapng([frame]), 28 + 20 + 32 + 8, [9, 0, 0, 0]),
      /interface 9/,
    ],
  ]
  for (const [name, file, detail] of refused)
    it(`is refused: ${name}`, () => {
      let failure: Failure | undefined
      try {
        const { end } = read(file)
        if (end !== 'whole') failure = end
      } catch (error) {
        failure = (error as Error).cause as Failure
      }
      assert.equal(failure?.code, 'CAPTURE_FAILED')
      assert.match(failure?.detail ?? '', detail)
    })

  it('with any number of blocks that are no packets gives the turn back, and the packet behind them', () => {
    const section = pcapng([])
    const statistics = Buffer.alloc(12)
    statistics.writeUInt32LE(5, 0)
    statistics.writeUInt32LE(12, 4)
    statistics.writeUInt32LE(12, 8)
    for (const [what, block, number] of [
      ['statistics', statistics, 20_000],
      ['sections with an interface', section, 4000],
    ] as const) {
      const path = join(folder, 'blocks')
      writeFileSync(path, Buffer.concat([section, ...Array<Uint8Array>(number).fill(block), pcapng([frame])]))
      const fd = openSync(path, 'r')
      try {
        const capture = pcapFileCapture({ fd, ports: [port(62201)] })
        const packets: CapturedPacket[] = []
        let turns = 0
        for (; capture.fds.length > 0 && turns < 1000; turns++) packets.push(...capture.receive(fd))
        assert.deepEqual([packets.length, capture.ended], [1, 'whole'], what)
        assert.ok(turns > number / 2048, `${turns} turns for ${number} ${what}`)
      } finally {
        closeSync(fd)
      }
    }
  })

  it('of any bytes never throws, never reads without end, and asks for no more than one frame at a time', () => {
    const base = fc.constantFrom(...files.map(([, file]) => file))
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), base), damage, (file, changes) => {
        const bytes = file.slice()
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
        const opened = openPcap((at, length) => {
          assert.ok(length <= 262_144)
          return bytes.subarray(at, at + length)
        })
        if (!opened.ok) return
        for (let frames = 0; ; frames++) {
          assert.ok(frames < 100)
          const next = opened.value.next()
          if (!next.ok || next.value === 'end') return
        }
      }),
      { numRuns: 3000 },
    )
  })
})

function tampered(file: Uint8Array, at: number, bytes: readonly number[]): Uint8Array {
  file.set(bytes, at)
  return file
}
