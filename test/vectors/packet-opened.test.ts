import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { type OpenedPacket, type OpenFailure, openPacket } from '../../src/packet/open.ts'
import type { Result } from '../../src/result.ts'
import { fwknopVectors } from './fwknop-vectors.ts'
import { type PacketVector, packetVectors } from './packet-vectors.ts'

/** fwknopd refused it for its request, its time, or the server's settings: the packet itself is sound. */
const REFUSED_BY_POLICY = new Set(['policy', 'replay', 'config', 'state'])
const STALE = new Set(['x-aging-old', 'x-aging-future'])

const vectors = packetVectors(fwknopVectors)
assert.ok(vectors.length > 245)

for (const vector of vectors) {
  if (vector.category === 'lenient' || vector.category === 'malleable') {
    test(`${vector.name} is opened, or refused by a rule of ours`, () => {
      const opened = open(vector)
      if (!opened.ok) assert.ok(opened.failure.rule, JSON.stringify(opened.failure))
    })
  } else if (vector.expect === 'accept') {
    test(`${vector.name} is opened`, () => {
      const opened = open(vector)
      assert.ok(opened.ok, JSON.stringify(opened))
      if (vector.fields !== null) assertFields(opened.value, vector.fields)
    })
  } else if (!REFUSED_BY_POLICY.has(vector.category) && !STALE.has(vector.name)) {
    test(`${vector.name} is refused`, () => assert.equal(open(vector).ok, false))
  }
}

function open(vector: PacketVector): Result<OpenedPacket, OpenFailure> {
  const envelope = parseEnvelope(vector.payload, vector)
  if (!envelope.ok) return envelope
  const results = vector.stanzas.map((keys) => openPacket(envelope.value, keys, vector))
  const opened = results.find((result) => result.ok) ?? results[0]
  assert.ok(opened, 'a vector without a usable stanza')
  return opened
}

/** `fields` leaves out what does not apply or was not examined. */
function assertFields({ fields }: OpenedPacket, expected: NonNullable<PacketVector['fields']>): void {
  const got: Record<string, string | number | null> = {
    rand_val: fields.randVal,
    username: fields.username,
    timestamp: fields.timestamp,
    version: fields.version,
    message_type: fields.messageType,
    message: fields.message,
    nat_access: fields.natAccess,
    server_auth: fields.serverAuth,
    client_timeout: fields.clientTimeout,
    digest: fields.digest,
  }
  for (const [name, value] of Object.entries(expected))
    if (value !== null && name in got) assert.equal(String(got[name]), String(value), name)
}
