/** From which packets the receiver learns which sources have places of their own while others wait for GnuPG. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../test/support/results.ts'
import { StanzaIndex } from '../../access/matching.ts'
import { OpenerMemory } from '../../access/opener-memory.ts'
import { parseFingerprint, type SignatureReport } from '../../access/signature.ts'
import { encodeBase64 } from '../../bytes/base64.ts'
import { concatBytes } from '../../bytes/bytes.ts'
import { encodeText } from '../../bytes/text.ts'
import type { CapturedPacket } from '../../capture/capture.ts'
import { monotonic, systemClock } from '../../clock.ts'
import { parseAccessConf } from '../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { parseAddress } from '../../packet/address.ts'
import type { OutgoingMessage } from '../../packet/message-fields.ts'
import { composePlaintext, sealGnupgMessage } from '../../packet/seal.ts'
import { parseUsername } from '../../packet/username.ts'
import { port, seconds, unixSeconds } from '../../units.ts'
import type { GnupgRequest } from '../link/gnupg-protocol.ts'
import type { FromReceiver } from '../link/protocol.ts'
import { GnupgDesk } from './gnupg-desk.ts'
import { Triage } from './triage.ts'

const fingerprint = parseFingerprint('1FDDCD755FDA721D0350E893AD8C10297F35D41F') ?? assert.fail()
const stranger = parseFingerprint('2593D86D2050A4E42AAE0F00FCB0FB6A1CE6B883') ?? assert.fail()
const signedBy = (key: typeof fingerprint): SignatureReport => ({
  ...{ kind: 'verified', fingerprint: key, primary: key, state: 'good', isTrusted: true },
})
const texts = { 'access.conf': `SOURCE ANY\nGPG_ALLOW_NO_PW Y\nGPG_FINGERPRINT_ID ${fingerprint}\n` }
const { stanzas } = must(parseAccessConf('access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} })))

function receiver() {
  const sent: GnupgRequest[] = []
  const messages: FromReceiver[] = []
  const desk = new GnupgDesk((request) => sent.push(request), monotonic)
  const receiving = {
    policy: { http: 'off', refuseReplays: true, maxAge: seconds(120) } as const,
    ...{ index: new StanzaIndex(stanzas), openers: new OpenerMemory() },
  }
  const triage = new Triage(
    receiving,
    100,
    (message) => messages.push(message),
    () => 0,
    desk,
  )
  return { sent, messages, desk, triage }
}

/** Has the outline of GnuPG's. */
function packet(source: string, n: number): CapturedPacket {
  const sessionKey = concatBytes(
    Uint8Array.of(0x85, 1, 0x0c, 3),
    new Uint8Array(8),
    Uint8Array.of(1),
    new Uint8Array(258),
  )
  const message = concatBytes(sessionKey, Uint8Array.of(0xd2, 100, 1), new Uint8Array(95), encodeText(`${1000 + n}`))
  const payload = encodeText(must(sealGnupgMessage(message, undefined)))
  const ports = { sourcePort: port(4321), destinationPort: port(62201) }
  return { via: 'udp', payload, source: must(parseAddress(source)), ...ports }
}

function plaintext(age: number): Uint8Array {
  const message: OutgoingMessage = {
    ...{ kind: 'access', random: '1234567890123456', username: must(parseUsername('ada')) },
    ...{ source: 'packet-source', ports: [{ protocol: 'tcp', port: port(22) }] },
    timestamp: unixSeconds(systemClock.now() - age),
  }
  return must(composePlaintext(message, { digestType: 'sha256' }))
}

const cases: [what: string, signature: SignatureReport, age: number, isRemembered: boolean][] = [
  ['a fresh knock whose signer a stanza accepts', signedBy(fingerprint), 0, true],
  ['a knock of a signer that no stanza accepts', signedBy(stranger), 0, false],
  ['a knock without signature: anybody can encrypt for the server', { kind: 'none' }, 0, false],
  ['an old knock, which somebody may have recorded', signedBy(fingerprint), 3600, false],
]
for (const [what, signature, age, isRemembered] of cases)
  test(`${what} ${isRemembered ? 'gives' : 'does not give'} its source places of its own`, () => {
    const { sent, messages, triage, desk } = receiver()
    const busy = (): number => {
      triage.tally(0)
      const last = messages.at(-1)
      return (last?.type === 'tally' && last.tally.refused['GNUPG_BUSY']) || 0
    }
    triage.look([packet('192.0.2.1', 1)])
    const opened = {
      plaintext: encodeBase64(plaintext(age)),
      signature,
      decryptIds: [],
      attestation: encodeBase64(new Uint8Array(32)),
    }
    desk.answered({ id: sent.shift()?.id, opened })
    assert.equal(messages.filter(({ type }) => type === 'knock').length, 1)
    // All places for strangers are taken.
    for (let n = 2; n < 600; n++) triage.look([packet(`10.0.${n >> 8}.${n & 255}`, n)])
    const before = busy()
    assert(before > 0)
    triage.look([packet('192.0.2.1', 600)])
    assert.equal(busy() - before, isRemembered ? 0 : 1)
  })
