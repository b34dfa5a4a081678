import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { gnupgKeys, makeKeyring } from '../../test/support/gnupg.ts'
import { milliseconds } from '../units.ts'
import { gpgDecrypt } from './decrypt.ts'
import { gpgEncrypt } from './encrypt.ts'
import type { GpgProgram } from './program.ts'

const keyring = makeKeyring()
after(() => keyring.remove())
const text = new TextEncoder().encode('8114730929909353:YWxpY2U:1795410748:3.0.0:1:MTAuMS4yLjMsdGNwLzIy:x')
const options: GpgProgram = {
  ...{ program: '/usr/bin/gpg', home: keyring.home, passphrase: 'none' },
  env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
  limit: milliseconds(20_000),
}
const [encrypt, decrypt] = [gpgEncrypt(options), gpgDecrypt(options)]
const { client2048, client25519, server2048 } = gnupgKeys

/** A program that is called in place of gpg. */
function programThat(t: TestContext, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gpg-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'gpg')
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
  return file
}

describe('the real gpg', () => {
  for (const [what, signer, key] of [
    ['RSA', 'client2048@spa.test', client2048],
    ['ed25519', 'client25519@spa.test', client25519],
  ] as const)
    it(`decrypts what it encrypted, and knows who signed it with ${what}`, async () => {
      const encrypted = await encrypt(text, { recipient: 'server2048@spa.test', signer })
      assert(encrypted.ok, encrypted.ok ? '' : encrypted.failure.detail)
      const opened = await decrypt(encrypted.value)
      assert(opened.ok, opened.ok ? '' : opened.failure.detail)
      assert.deepEqual(opened.value.plaintext, Buffer.from(text))
      assert.deepEqual(opened.value.signature, {
        ...{ kind: 'verified', fingerprint: key.subkey, primary: key.primary, state: 'good', isTrusted: true },
      })
      assert.deepEqual(opened.value.decryptedBy, [server2048.subkey, server2048.primary])
    })

  it('tells that nobody signed', async () => {
    const encrypted = await encrypt(text, { recipient: server2048.primary })
    assert(encrypted.ok)
    const opened = await decrypt(encrypted.value)
    assert.deepEqual(opened.ok && opened.value.signature, { kind: 'none' })
  })

  it('refuses each message that was changed, cut or extended', async () => {
    const encrypted = await encrypt(text, { recipient: server2048.primary, signer: client2048.primary })
    assert(encrypted.ok)
    const message = encrypted.value
    const flipped = (at: number) => message.map((byte, i) => (i === at ? byte ^ 1 : byte))
    const again = Buffer.concat([message, message])
    const changed = [flipped(300), flipped(message.length - 1), message.slice(0, -1), message.slice(0, 300), again]
    for (const bad of [...changed, text, new Uint8Array(), Buffer.alloc(700, 0x85)]) {
      const opened = await decrypt(bad)
      assert(!opened.ok && opened.failure.code === 'SPA_DECRYPT_FAILED', JSON.stringify(opened))
    }
  })

  const parties: [recipient: string, signer: string | undefined, detail: RegExp][] = [
    ['nobody@spa.test', undefined, /GPG_RECIPIENT: “nobody@spa.test” is none of the public keys in/],
    ['spa.test', undefined, /GPG_RECIPIENT: “spa.test” is the name of 6 public keys in .*: use a fingerprint/],
    ['server2048@spa.test', 'nobody', /GPG_SIGNER: “nobody” is none of the secret keys/],
    ['--version', undefined, /“--version” is none/],
  ]
  for (const [recipient, signer, detail] of parties)
    it(`does not encrypt for ${recipient} by ${signer}`, async () => {
      const encrypted = await encrypt(text, { recipient, ...(signer && { signer }) })
      assert(!encrypted.ok && encrypted.failure.code === 'GNUPG_FAILED')
      assert.match(encrypted.failure.detail, detail)
    })

  it('uses a passphrase, and says when it is wrong or missing', async () => {
    keyring.gpg('--passphrase', 'sesame', '--pinentry-mode', 'loopback', '--quick-gen-key', 'locked@x.test', 'ed25519')
    const parties = { recipient: server2048.primary, signer: 'locked@x.test' }
    const encryptBy = async (passphrase: GpgProgram['passphrase']) => {
      const made = await gpgEncrypt({ ...options, passphrase })(text, parties)
      return made.ok ? 'made' : made.failure.detail
    }
    const bytes = (secret: string) => new TextEncoder().encode(secret)
    const { execFileSync } = await import('node:child_process')
    const forget = () => execFileSync('gpgconf', ['--homedir', keyring.home, '--kill', 'gpg-agent'])
    forget()
    assert.equal(await encryptBy(bytes('open')), 'the passphrase of “locked@x.test” is wrong')
    assert.match(await encryptBy('none'), /^the key “locked@x.test” has a passphrase, and gpg got none/)
    assert.equal(await encryptBy(bytes('sesame')), 'made')
  })
})

describe('a gpg that misbehaves', () => {
  const cases: [what: string, script: string, detail: RegExp][] = [
    ['hangs', 'exec sleep 60', /took longer than 0.3 s/],
    ['writes without end', 'exec cat /dev/zero', /wrote more than a packet can hold/],
    ['writes status without end', 'exec cat /dev/zero >&3', /wrote more than a packet can hold/],
    ['knows an option less', 'echo "gpg: invalid option" >&2; exit 2', /gpg: invalid option/],
    ['is killed', 'kill -9 $$', /gpg gave no status/],
  ]
  for (const [what, script, detail] of cases)
    it(what, async (t) => {
      const bad = gpgDecrypt({ ...options, program: programThat(t, script), limit: milliseconds(300) })
      const opened = await bad(text)
      assert(!opened.ok && opened.failure.code === 'GNUPG_FAILED')
      assert.match(opened.failure.detail, detail)
    })
  it('is missing', async () => {
    const opened = await gpgDecrypt({ ...options, program: '/nowhere/gpg' })(text)
    assert(!opened.ok)
    assert.match(opened.failure.detail, /\/nowhere\/gpg cannot be started: there is no such program\. Install it/)
  })
})
