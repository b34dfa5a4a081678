import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../test/support/results.ts'
import { symmetricKeys } from '../../../test/support/symmetric-keys.ts'
import { StanzaIndex } from '../../access/matching.ts'
import { OpenerMemory } from '../../access/opener-memory.ts'
import { encodeText } from '../../bytes/text.ts'
import type { CapturedPacket } from '../../capture/capture.ts'
import { parseAccessConf } from '../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { parseAddress } from '../../packet/address.ts'
import { decrypt } from '../../packet/decrypt.ts'
import { EncryptionKey, HmacKey } from '../../packet/key.ts'
import { parseKeyText } from '../../packet/key-text.ts'
import { sealPacket } from '../../packet/seal.ts'
import { parseUsername } from '../../packet/username.ts'
import { port, unixSeconds } from '../../units.ts'
import { begin, type Pending, type Receiving, receive } from './receive.ts'

function receiving(access: string): Receiving {
  const files = filesFromSnapshot({ texts: { 'access.conf': access }, folders: {}, failures: {} })
  const { stanzas } = must(parseAccessConf('access.conf', files))
  return { policy: { http: 'off' }, index: new StanzaIndex(stanzas), openers: new OpenerMemory() }
}

let sealings = 0
function packet(key: string, hmacKey?: string): CapturedPacket {
  const username = must(parseUsername('ada'))
  const asked = [{ protocol: 'tcp', port: port(22) }] as const
  const header = { random: String(++sealings).padStart(16, '0'), username, timestamp: unixSeconds(1_800_000_000) }
  const hmac =
    hmacKey === undefined ? {} : { hmac: { key: must(parseKeyText(HmacKey, hmacKey)), type: 'sha256' } as const }
  const keys = { encryption: { key: must(parseKeyText(EncryptionKey, key)), mode: 'CBC' }, ...hmac } as const
  const options = { digestType: 'sha256', salt: new Uint8Array(8) } as const
  const text = must(sealPacket({ kind: 'access', ...header, source: 'packet-source', ports: asked }, keys, options))
  const source = must(parseAddress('192.0.2.1'))
  const ports = { sourcePort: port(4321), destinationPort: port(62201) }
  return { via: 'udp', payload: encodeText(text), source, ...ports }
}

function pending(received: ReturnType<typeof begin>): Pending {
  assert.equal(received.state, 'pending')
  return received as Pending
}
const decrypted = ({ envelope, encryption }: Pending) => decrypt(envelope, symmetricKeys({ encryption }).encryption)
const WRONG = { ok: false, failure: { code: 'SPA_DECRYPT_FAILED', detail: 'another key' } } as const

const TWO = 'SOURCE ANY\nKEY one\nHMAC_KEY hmac one\nSOURCE ANY\nKEY two\nHMAC_KEY hmac two\n'

test('packets that wait for their plaintexts go on in any order, from memory of their own', () => {
  const under = receiving(TWO)
  const memory = new Uint8Array(1500)
  const captured = [packet('one', 'hmac one'), packet('two', 'hmac two')].map((one) => {
    // As a capture does: the next packet overwrites this one.
    memory.set(one.payload)
    return pending(begin({ ...one, payload: memory.subarray(0, one.payload.length) }, under))
  })
  memory.fill(0)
  const knocks = captured.toReversed().map((one) => {
    const received = one.goOn(decrypted(one))
    assert(received.state === 'opened')
    return received.knock
  })
  assert.deepEqual(
    knocks.map(({ openedBy, message }) => [openedBy, message.kind]),
    [
      [2, 'access'],
      [1, 'access'],
    ],
  )
  assert.equal(under.openers.size, 1)
})

test('a copy of a used packet is refused before it is decrypted, under the keys that it was made with', () => {
  const [used, other] = [packet('two', 'hmac two'), packet('two', 'hmac two')]
  const { digest } = must(receive(used, receiving(TWO)))
  const under = { ...receiving(TWO), isUsed: (asked: string) => asked === digest }
  const copy = begin(used, under)
  assert(copy.state === 'refused')
  assert.deepEqual([copy.failure.code, copy.failure.stanza], ['SPA_REPLAYED', 2])
  assert.equal(begin(other, under).state, 'pending')
  // What is no copy for any key is told as what it is.
  const forged = { ...used, payload: used.payload.slice() }
  forged.payload.set([(forged.payload.at(-3) ?? 0) ^ 1], forged.payload.length - 3)
  const refused = begin(forged, under)
  assert(refused.state === 'refused')
  assert.notEqual(refused.failure.code, 'SPA_REPLAYED')
})

test('what no key authenticates waits for nothing', () => {
  const received = begin(packet('one', 'another'), receiving(TWO))
  assert(received.state === 'refused')
  assert.equal(received.failure.code, 'SPA_HMAC_MISMATCH')
})

test('where one keyring gives no plaintext, the next is asked, and then the failure is that of the closest', () => {
  const under = receiving('SOURCE ANY\nKEY one\nSOURCE ANY\nKEY two\n')
  const first = pending(begin(packet('two'), under))
  const second = pending(first.goOn(WRONG))
  assert.notEqual(first.encryption, second.encryption)
  const opened = second.goOn(decrypted(second))
  assert(opened.state === 'opened' && opened.knock.openedBy === 2)

  const next = pending(
    pending(begin(packet('three'), receiving('SOURCE ANY\nKEY one\nSOURCE ANY\nKEY two\n'))).goOn(WRONG),
  )
  const refused = next.goOn({ ok: false, failure: { code: 'SPA_MALFORMED', detail: 'no ciphertext' } })
  assert(refused.state === 'refused')
  assert.equal(refused.failure.code, 'SPA_DECRYPT_FAILED')
})

test('what can be decrypted at once is received in one step', () => {
  const under = receiving(TWO)
  assert.equal(must(receive(packet('two', 'hmac two'), under)).openedBy, 2)
  const wrong = receive(packet('two', 'hmac one'), under)
  assert(!wrong.ok)
  assert.deepEqual([wrong.failure.code, wrong.failure.stanza], ['SPA_DECRYPT_FAILED', 1])
})

test('the text of a packet goes with its knock only where the log is to show it', () => {
  const one = packet('one', 'hmac one')
  const under = receiving(TWO)
  assert.equal(must(receive(one, under)).text, undefined)
  const shown = must(receive(one, { ...receiving(TWO), policy: { http: 'off', showsPackets: true } }))
  assert.equal(shown.text, new TextDecoder().decode(one.payload))
})

test('a command may be as long as a stanza for commands takes it', () => {
  const header = { random: '1'.repeat(16), username: must(parseUsername('ada')), timestamp: unixSeconds(1_800_000_000) }
  const message = {
    kind: 'command',
    ...header,
    source: must(parseAddress('192.0.2.1')),
    command: 'x'.repeat(100),
  } as const
  const keys = {
    encryption: { key: must(parseKeyText(EncryptionKey, 'one')), mode: 'CBC' },
    hmac: { key: must(parseKeyText(HmacKey, 'hmac one')), type: 'sha512' },
  } as const
  const text = must(sealPacket(message, keys, { digestType: 'sha256', salt: new Uint8Array(8) }))
  assert.ok(text.length >= 400, String(text.length))
  const long = { ...packet('one', 'hmac one'), payload: encodeText(text) }
  const stanza = 'SOURCE ANY\nKEY one\nHMAC_KEY hmac one\nHMAC_DIGEST_TYPE sha512\n'
  const plain = receive(long, receiving(stanza))
  assert.equal(plain.ok || plain.failure.code, 'SPA_LENGTH')
  const commands = receive(long, receiving(`${stanza}ENABLE_CMD_EXEC Y\nCMD_REGEX x+\n`))
  assert.equal(must(commands).message.kind, 'command')
})
