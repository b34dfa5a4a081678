import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../test/support/results.ts'
import type { DecrypterName } from '../../access/keyring.ts'
import { parseFingerprint } from '../../access/signature.ts'
import { encodeText } from '../../bytes/text.ts'
import { parseProtocolPorts } from '../../packet/protocol-port.ts'
import { replayDigest } from '../../packet/replay-digest.ts'
import { parseUsername } from '../../packet/username.ts'
import { seconds, unixSeconds } from '../../units.ts'
import { type Attestation, type Attested, attest, isAttested } from './attestation.ts'

const secret = encodeText('32 bytes that two processes know')
const fingerprint = parseFingerprint('1FDDCD755FDA721D0350E893AD8C10297F35D41F') ?? assert.fail()
const attested: Attested = {
  decrypter: 'one' as DecrypterName,
  digest: replayDigest(encodeText('a packet')),
  signature: { kind: 'verified', fingerprint, primary: fingerprint, state: 'good', isTrusted: true },
  decryptIds: ['spa@server.example'],
  message: {
    ...{ kind: 'access', random: '1234567890123456', username: must(parseUsername('ada')), version: '3.0.0' },
    ...{ timestamp: unixSeconds(1_700_000_000), source: 'packet-source', ports: must(parseProtocolPorts('tcp/22')) },
  },
}
const attestation = attest(secret, attested)

test('what was attested is believed, in whichever order its fields come', () => {
  assert(isAttested(secret, attested, attestation))
  const turned = Object.fromEntries(Object.entries(attested.message).reverse()) as unknown as Attested['message']
  assert(isAttested(secret, { ...attested, message: turned }, attestation))
})

const changed: [what: string, attested: Attested][] = [
  ['another keyring', { ...attested, decrypter: 'two' as DecrypterName }],
  ['another packet', { ...attested, digest: replayDigest(encodeText('another')) }],
  ['no signature', { ...attested, signature: { kind: 'none' } }],
  ['more trust', { ...attested, signature: { ...attested.signature, isTrusted: false } as Attested['signature'] }],
  [
    'another port',
    { ...attested, message: { ...attested.message, ports: must(parseProtocolPorts('tcp/23')) } as Attested['message'] },
  ],
  ['another key that decrypted it', { ...attested, decryptIds: ['other@server.example'] }],
  ['a key more', { ...attested, decryptIds: [...attested.decryptIds, 'other@server.example'] }],
  ['another time', { ...attested, message: { ...attested.message, timestamp: unixSeconds(1_700_000_001) } }],
  ['a timeout more', { ...attested, message: { ...attested.message, timeout: seconds(1) } as Attested['message'] }],
]
for (const [what, other] of changed)
  test(`an attestation does not fit ${what}`, () => assert(!isAttested(secret, other, attestation)))

test('nor another secret, nor what is no attestation', () => {
  assert(!isAttested(encodeText('32 bytes that nobody else knows.'), attested, attestation))
  for (const text of ['', 'A', attestation.slice(1), `${attestation}A`, '=', 'ü'])
    assert(!isAttested(secret, attested, text as Attestation), text)
})
