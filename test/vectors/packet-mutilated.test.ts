/**
 * The packet of each accepted vector, cut at every byte and with every bit flipped. Nothing may throw, and nothing may
 * open as another packet. Only these may open, as the same packet with the same digest: a packet that ends in “=”, cut
 * before it (1.9.12 has an option to send it), and HTTP requests whose changed part is not the packet's.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { openPacket } from '../../src/packet/open.ts'
import type { ReplayDigest } from '../../src/packet/replay-digest.ts'
import { fwknopVectors } from './fwknop-vectors.ts'
import { type PacketVector, packetVectors } from './packet-vectors.ts'

const EQUALS_SIGN = 0x3d

const accepted = packetVectors(fwknopVectors).filter((vector) => digests(vector, vector.payload).length > 0)
assert.ok(accepted.length > 110)

for (const vector of accepted) {
  const [digest] = digests(vector, vector.payload)

  test(`${vector.name}: cut at every byte`, () => {
    const opened = cuts(vector.payload).filter((payload) => opensAs(vector, payload, digest))
    if (vector.http === 'off' || !isRequest(vector.payload)) {
      assert.equal(opened.length, vector.payload.at(-1) === EQUALS_SIGN ? 1 : 0)
    } else {
      const [end] = spaText(vector.payload).slice(-1)
      for (const payload of opened) assert.ok(payload.length > (end ?? 0), 'a request cut within its packet')
    }
  })

  test(`${vector.name}: every bit flipped`, () => {
    const inPacket = new Set(isRequest(vector.payload) ? spaText(vector.payload) : vector.payload.keys())
    for (const [at, payload] of flips(vector.payload)) {
      const opened = opensAs(vector, payload, digest)
      assert.ok(!opened || !inPacket.has(at), `bit of byte ${at} flipped`)
    }
  })
}

/** Whether it opens. It must not open as any other packet. */
function opensAs(vector: PacketVector, payload: Uint8Array, digest: ReplayDigest | undefined): boolean {
  const found = digests(vector, payload)
  for (const other of found) assert.equal(other, digest)
  return found.length > 0
}

function digests(vector: PacketVector, payload: Uint8Array): ReplayDigest[] {
  const envelope = parseEnvelope(payload, vector)
  if (!envelope.ok) return []
  return vector.stanzas.flatMap((keys) => {
    const opened = openPacket(envelope.value, keys, vector)
    return opened.ok ? [opened.value.digest] : []
  })
}

function* flips(payload: Uint8Array): Generator<[at: number, payload: Uint8Array]> {
  for (let at = 0; at < payload.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = payload.slice()
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
      yield [at, flipped]
    }
  }
}

function cuts(payload: Uint8Array): Uint8Array[] {
  return Array.from({ length: payload.length }, (_, length) => payload.slice(0, length))
}

function isRequest(payload: Uint8Array): boolean {
  return payload[3] === 0x20
}

/** Which bytes of a request are its packet: from the slash to the blank. */
function spaText(request: Uint8Array): number[] {
  const end = request.indexOf(0x20, 5)
  return [...request.keys()].slice(5, end)
}
