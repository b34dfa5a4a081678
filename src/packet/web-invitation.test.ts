/** What both ends of an invitation through a gateway compute, against node:crypto, and what neither of them takes. */
import assert from 'node:assert/strict'
import { createDecipheriv, createHash, createHmac, createPrivateKey, diffieHellman, hkdfSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { must } from '../../test/support/results.ts'
import { formatSecret, type InvitationSecret, parseSecretDigits } from './invitation-secret.ts'
import {
  type ClaimKeys,
  claimTag,
  deriveLinkKeys,
  deviceFingerprint,
  exportPrivateKey,
  formatDeviceKey,
  importPrivateKey,
  invitationId,
  isClaimTag,
  type KeyPair,
  newKeyPair,
  openOnDevice,
  parseDeviceFingerprint,
  parseDeviceKey,
  sealForDevice,
} from './web-invitation.ts'

const SECRET = Uint8Array.from({ length: 16 }, (_, at) => at) as InvitationSecret
const keys = deriveLinkKeys(SECRET)
const PROFILE = 'ghostport://profile/1?name=office&key=c2VjcmV0'
const nonce = Uint8Array.from({ length: 12 }, (_, at) => 0xa0 + at)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The pair with the private number that the vector names. */
async function pairOf(number: number): Promise<KeyPair> {
  const d = Buffer.alloc(32)
  d.writeUInt8(number, 31)
  // RFC 5915 with the curve’s name, without the public key, which OpenSSL computes.
  const der = Buffer.concat([Buffer.from('30310201010420', 'hex'), d, Buffer.from('a00a06082a8648ce3d030107', 'hex')])
  const key = createPrivateKey({ key: der, format: 'der', type: 'sec1' })
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  const publicKey = Uint8Array.from(
    Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]),
  )
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' }).toString('base64').replaceAll('=', '')
  const pair = await importPrivateKey(pkcs8, publicKey)
  assert.ok(pair)
  return pair
}

describe('an invitation through a gateway', () => {
  it('is as WIRE.md § 19 says, computed by other code', async () => {
    const [device, once] = [await pairOf(7), await pairOf(9)]
    const sealed = (await sealForDevice(keys, device.publicKey, once, nonce, PROFILE)) ?? ''
    const of = (use: string) => Buffer.from(hkdfSync('sha256', SECRET, '', `ghostport web invitation 1 ${use}`, 32))
    assert.equal(keys.proof, of('proof').toString('hex'))
    assert.equal(keys.id, createHash('sha256').update(of('proof')).digest('hex'))
    assert.equal(keys.id, invitationId(keys.proof))
    const id = Buffer.from(keys.id, 'hex')
    const said = Buffer.concat([Buffer.from('ghostport web invitation 1 claim'), id, device.publicKey])
    assert.equal(claimTag(keys, device.publicKey), createHmac('sha256', of('claim')).update(said).digest('hex'))
    const bytes = Buffer.from(sealed, 'base64')
    assert.deepEqual(bytes.subarray(0, 65), Buffer.from(once.publicKey))
    assert.deepEqual(bytes.subarray(65, 77), Buffer.from(nonce))
    const point = (publicKey: Uint8Array) =>
      ({
        key: {
          ...{ kty: 'EC', crv: 'P-256', x: Buffer.from(publicKey.subarray(1, 33)).toString('base64url') },
          y: Buffer.from(publicKey.subarray(33)).toString('base64url'),
        },
        format: 'jwk',
      }) as const
    const pkcs8 = Buffer.from(await exportPrivateKey(device), 'base64')
    const shared = diffieHellman({
      privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }),
      publicKey: (await import('node:crypto')).createPublicKey(point(once.publicKey)),
    })
    const info = Buffer.concat([Buffer.from('ghostport web invitation 1 profile'), device.publicKey, once.publicKey])
    const key = Buffer.from(hkdfSync('sha256', Buffer.concat([shared, of('seal')]), id, info, 32))
    const opener = createDecipheriv('aes-256-gcm', key, bytes.subarray(65, 77)).setAAD(id)
    opener.setAuthTag(bytes.subarray(-16))
    assert.equal(opener.update(bytes.subarray(77, -16)).toString() + opener.final().toString(), PROFILE)
    assert.equal(await openOnDevice(keys, device, sealed), PROFILE)
    // The vector of the page.
    const page = readFileSync(new URL('../../docs/WIRE.md', import.meta.url), 'utf8')
    for (const value of [
      ...[keys.proof, keys.id, claimTag(keys, device.publicKey), deviceFingerprint(keys, device.publicKey)],
      ...[formatDeviceKey(device.publicKey), sealed],
    ])
      assert.ok(page.replaceAll(/\s/g, '').includes(value), `docs/WIRE.md has not ${value}`)
  })

  it('opens on its device alone, with its secret alone, unchanged alone', async () => {
    const [device, other, once] = await Promise.all([newKeyPair(), newKeyPair(), newKeyPair()])
    const sealed = (await sealForDevice(keys, device.publicKey, once, nonce, PROFILE)) ?? ''
    const elsewhere: ClaimKeys = deriveLinkKeys(SECRET.map((byte) => byte ^ 1) as InvitationSecret)
    assert.equal(await openOnDevice(keys, other, sealed), undefined)
    assert.equal(await openOnDevice({ ...keys, seal: elsewhere.seal }, device, sealed), undefined)
    assert.equal(await openOnDevice({ ...keys, id: elsewhere.id }, device, sealed), undefined)
    const bytes = Buffer.from(sealed, 'base64')
    for (let at = 0; at < bytes.length; at += 3) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      assert.equal(await openOnDevice(keys, device, changed.toString('base64').replaceAll('=', '')), undefined, `${at}`)
      const short = bytes.subarray(0, at).toString('base64').replaceAll('=', '')
      assert.equal(await openOnDevice(keys, device, short), undefined, `${at}`)
    }
    const again = await importPrivateKey(await exportPrivateKey(device), device.publicKey)
    assert.ok(again && (await openOnDevice(keys, again, sealed)) === PROFILE)
    assert.equal(await importPrivateKey('AAAA', device.publicKey), undefined)
    // No point of the curve.
    assert.equal(await sealForDevice(keys, Uint8Array.from(device.publicKey).fill(7, 40), once, nonce, ''), undefined)
  })

  it('has a tag that belongs to one key, one invitation and one secret', async () => {
    const [device, other] = await Promise.all([newKeyPair(), newKeyPair()])
    const tag = claimTag(keys, device.publicKey)
    assert.ok(isClaimTag(keys, device.publicKey, tag))
    assert.ok(!isClaimTag(keys, other.publicKey, tag))
    const elsewhere = deriveLinkKeys(SECRET.map((byte) => byte ^ 1) as InvitationSecret)
    assert.ok(!isClaimTag({ ...keys, claim: elsewhere.claim }, device.publicKey, tag))
    assert.ok(!isClaimTag({ ...keys, id: elsewhere.id }, device.publicKey, tag))
    assert.notEqual(deviceFingerprint(keys, device.publicKey), deviceFingerprint(keys, other.publicKey))
    assert.notEqual(deviceFingerprint(keys, device.publicKey), deviceFingerprint(elsewhere, device.publicKey))
    assert.match(deviceFingerprint(keys, device.publicKey), /^\d{4}-\d{4}-\d{4}-\d{4}$/)
  })

  it('reads keys, fingerprints and secrets as it writes them, and never throws', () => {
    assert.deepEqual(must(parseSecretDigits(formatSecret(SECRET).toUpperCase())), SECRET)
    assert.equal(parseDeviceFingerprint(' 1234 5678-90123456 '), '1234-5678-9012-3456')
    assert.equal(parseDeviceFingerprint('1234-5678-9012-345'), undefined)
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 600 })), (text) => {
        const secret = parseSecretDigits(text)
        if (!secret.ok) assert.equal(secret.failure.code, 'INVITATION_INVALID')
        parseDeviceFingerprint(text)
        const device = parseDeviceKey(text)
        if (device !== undefined) assert.equal(formatDeviceKey(device), text)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (rest) => {
        const device = Uint8Array.from([4, ...rest])
        assert.deepEqual(parseDeviceKey(formatDeviceKey(device)), device)
      }),
    )
    assert.equal(hex(parseDeviceKey('A'.repeat(87)) ?? new Uint8Array()), '')
  })
})
