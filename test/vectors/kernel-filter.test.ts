/** What the kernel's filter keeps back, no stanza could have opened. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spaFilter } from '../../src/capture/packet-socket/spa-filter.ts'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { openPacket } from '../../src/packet/open.ts'
import { port } from '../../src/units.ts'
import { interpret } from '../support/bpf-interpreter.ts'
import { udpFrame } from '../support/udp-frame.ts'
import { fwknopVectors } from './fwknop-vectors.ts'
import { type PacketVector, packetVectors } from './packet-vectors.ts'

const filter = spaFilter({ ports: [port(62201)], onlySpa: true })

function isOpened(payload: Uint8Array, vector: PacketVector): boolean {
  const envelope = parseEnvelope(payload, vector)
  return envelope.ok && vector.stanzas.some((keys) => openPacket(envelope.value, keys, vector).ok)
}

test('every packet of fwknop’s that can be opened passes the kernel’s filter, and none that it keeps back can be', () => {
  let [opened, keptBack] = [0, 0]
  for (const vector of packetVectors(fwknopVectors)) {
    const { payload, name } = vector
    const passes = interpret(filter, udpFrame({ payload })) > 0
    if (isOpened(payload, vector)) {
      opened++
      assert.ok(passes, name)
    } else if (!passes) keptBack++
  }
  assert.ok(opened > 130, `${opened}`)
  assert.ok(keptBack > 5, `${keptBack}`)
})
