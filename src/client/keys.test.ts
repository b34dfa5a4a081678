/** The keys of a knock: from settings, from real files, and by asking. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { must, refused } from '../../test/support/results.ts'
import { EncryptionKey, exposeKey, HmacKey } from '../packet/key.ts'
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
