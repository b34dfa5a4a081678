/** Random grants, for properties. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Grant, grantId, type Opening, type TransitTarget } from '../../src/access/grant.ts'
import type { StanzaId } from '../../src/access/stanza.ts'
import { parseStanzaName, type StanzaName } from '../../src/access/stanza-name.ts'
import { addressFromBytes, familyOf, type IpAddress, maskAddress } from '../../src/packet/address.ts'
import { parseUsername } from '../../src/packet/username.ts'
import { type Port, seconds } from '../../src/units.ts'

/** Objects in the shape that our code makes. */
const plain = { noNullPrototype: true } as const
const port = fc.integer({ min: 1, max: 65_535 }).map((n) => n as Port)
const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes): IpAddress => addressFromBytes(bytes))
const protocol = fc.constantFrom('tcp' as const, 'udp' as const)
const translation = fc.oneof(
  fc.constant('none' as const),
  fc.constant('masquerade' as const),
  fc.record({ snat: address }, plain),
)
const transitTarget: fc.Arbitrary<TransitTarget> = fc
  .tuple(address, fc.nat({ max: 128 }), port, port, fc.option(protocol))
  .map(([inside, bits, one, other, which]) => {
    const length = Math.min(bits, familyOf(inside) === 4 ? 32 : 128)
    const ports = { first: Math.min(one, other) as Port, last: Math.max(one, other) as Port }
    const network = { prefix: maskAddress(inside, length), length }
    return { network, ports, ...(which !== null && { protocol: which }) }
  })
const opening = fc.oneof(
  fc.record(
    { kind: fc.constant('transit' as const), to: fc.array(transitTarget, { minLength: 1, maxLength: 5 }), translation },
    plain,
  ),
  fc.record({ kind: fc.constant('divert' as const), target: address, translation }, plain),
  fc.record({ kind: fc.constant('access' as const), protocol, port }, plain),
  fc.record({ kind: fc.constant('access' as const), protocol, port, destination: address }, plain),
  fc.record(
    { kind: fc.constant('ghost' as const), protocol, publicPort: port, localPort: port, destination: address },
    plain,
  ),
  fc.record({ kind: fc.constant('ghost' as const), protocol, publicPort: port, localPort: port }, plain),
  fc.record(
    { kind: fc.constant('ghost' as const), protocol, publicPort: port, localPort: port, named: address },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant('forward' as const),
      protocol,
      publicPort: port,
      target: fc.record({ address, port }, plain),
      translation,
    },
    plain,
  ),
) satisfies fc.Arbitrary<Opening>
const username = fc.string({ minLength: 1, maxLength: 48, unit: 'grapheme-ascii' }).chain((text) => {
  const name = parseUsername(text)
  return name.ok ? fc.constant(name.value) : fc.constant(usernameOf("o'al ice%"))
})
const stanzaName: fc.Arbitrary<StanzaName> = fc.stringMatching(/^[a-z][A-Za-z0-9._@-]{0,30}$/).map((text) => {
  const name = parseStanzaName(text)
  assert.ok(name.ok, text)
  return name.value
})
/** Any grant. */
export const anyGrant: fc.Arbitrary<Grant> = fc
  .record({
    stanza: fc.integer({ min: 1, max: 10_000 }).map((n) => n as StanzaId),
    source: address,
    firstHand: fc.boolean(),
    openings: fc.array(opening, { minLength: 1, maxLength: 40 }),
    lifetime: fc.integer({ min: 1, max: 2 ** 31 - 1 }).map(seconds),
    username,
  })
  .chain((fields) => {
    const one = { id: grantId(fields.source, fields.openings), ...fields }
    return fc.option(stanzaName).map((name) => (name === null ? one : { ...one, stanzaName: name }))
  })

export function usernameOf(text: string): Grant['username'] {
  const name = parseUsername(text)
  assert.ok(name.ok)
  return name.value
}
