/** The keys of a knock: from settings, from real files, and by asking. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { must, refused } from '../../test/support/results.ts'
import { EncryptionKey, exposeKey, HmacKey, SigningPassphrase } from '../packet/key.ts'
import { parseKeyText } from '../packet/key-text.ts'
import { ok, refuse } from '../result.ts'
import { loadKeys } from './keys.ts'

const directory = mkdtempSync(join(tmpdir(), 'ghostport-files-'))
after(() => rmSync(directory, { recursive: true }))
const file = (name: string, text: string, mode: number): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
describe('the keys of a knock', () => {
  const encryptionKey = { key: must(parseKeyText(EncryptionKey, 'e')) }
  const hmacKey = { key: must(parseKeyText(HmacKey, 'h')) }
  const asked: string[] = []
  const ask = async (what: string) => {
    asked.push(what)
    return ok(Buffer.from('typed'))
  }
  it('come from the settings', async () => {
    const keys = must(
      await loadKeys({ encryptionKey, hmacKey, encryptionMode: 'CTR', hmacDigestType: 'sha512' }, 'host', ask),
    )
    assert.deepEqual(
      [keys.encryption, keys.hmac],
      [
        { kind: 'symmetric', ...encryptionKey, mode: 'CTR' },
        { ...hmacKey, type: 'sha512' },
      ],
    )
    assert.deepEqual(asked, [])
  })
  it('are asked for where they are missing and wanted', async () => {
    const keys = must(await loadKeys({ hmacDigestType: 'md5' }, 'host', ask))
    assert(keys.encryption.kind === 'symmetric')
    assert.equal(Buffer.from(exposeKey(keys.encryption.key)).toString(), 'typed')
    assert.equal(keys.hmac?.type, 'md5')
    assert.deepEqual(asked.splice(0), ['Encryption key for host', 'HMAC key for host'])
  })
  it('are one where no HMAC is wanted', async () => {
    assert.equal(must(await loadKeys({ encryptionKey }, 'host', ask)).hmac, undefined)
  })
  it('come from files', async () => {
    const path = file('both', 'KEY: a\nHMAC_KEY: b\n', 0o600)
    const keys = must(await loadKeys({ encryptionKey: { file: path }, hmacKey: { file: path } }, 'host', ask))
    assert.ok(keys.hmac)
    refused(
      await loadKeys({ encryptionKey: { file: file('open', 'KEY: a', 0o644) } }, 'host', ask),
      'CONFIG_EXPOSED',
      /chmod|others/,
    )
    refused(await loadKeys({ encryptionKey: { file: '/nowhere' } }, 'host', ask), 'CONFIG_UNREADABLE', /\/nowhere/)
  })
  describe('of GnuPG', () => {
    const byGnupg = { gpg: true, gpgRecipient: 'server', gpgSigner: 'me', gpgHome: '/home' }
    const passphrase = async (settings: object) => {
      const { encryption } = must(await loadKeys({ ...byGnupg, ...settings }, 'host', ask))
      assert(encryption.kind === 'gnupg')
      const { passphrase: it } = encryption
      return typeof it === 'string' ? it : Buffer.from(exposeKey(it)).toString()
    }
    const signingPassphrase = must(parseKeyText(SigningPassphrase, 'p'))
    const stored = { encryptionKey: { file: file('passphrase', 'host: open sesame\n', 0o600) } }
    for (const [what, settings, expected, prompts] of [
      ['a key file', stored, 'open sesame', 0],
      ['the agent, before a key file', { ...stored, gpgAgent: true }, 'agent', 0],
      ['nobody, for a key without one', { ...stored, gpgNoPassphrase: true }, 'none', 0],
      ['nobody, where nothing is signed', { ...stored, gpgSigner: undefined }, 'none', 0],
      ['the user', {}, 'typed', 1],
      ['the encryption key', { encryptionKey }, 'e', 0],
      ['GPG_SIGNING_PW, before the encryption key', { encryptionKey, gpgPassphrase: signingPassphrase }, 'p', 0],
    ] as const)
      it(`have their passphrase from ${what}`, async () => {
        assert.equal(await passphrase(settings), expected)
        assert.equal(asked.splice(0).length, prompts)
      })
    it('have none from a file that others can read', async () => {
      const open = { encryptionKey: { file: file('open-passphrase', 'host: open sesame', 0o644) } }
      refused(await loadKeys({ ...byGnupg, ...open }, 'host', ask), 'CONFIG_EXPOSED', /others/)
    })
  })
  it('know no HMAC in mode legacy', async () => {
    refused(
      await loadKeys({ encryptionKey, hmacKey, encryptionMode: 'legacy' }, 'host', ask),
      'CONFIG_CONFLICT',
      /legacy/,
    )
  })
  it('are refused as the asking is', async () => {
    refused(await loadKeys({}, 'host', async () => refuse('KEY_MISSING', 'no terminal')), 'KEY_MISSING', /no terminal/)
  })
})
