/** The real fwknop client knocks by GnuPG on `ghostport serve`, behind default drop. Each case has its own port. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, SERVER } from '../support/daemon.ts'
import { gnupgKeys } from '../support/gnupg.ts'
import { bannerOf, createGnupgHosts, type GnupgHosts, hmacOf, portOf, recipient } from '../support/gnupg-hosts.ts'
import { type Host, netnsUnavailable, type Outcome } from '../support/netns.ts'

const { client2048, client25519, server2048 } = gnupgKeys

interface Case {
  readonly name: string
  readonly stanza: readonly string[]
  readonly argv: readonly string[]
  /** Default true. */
  readonly hmac?: boolean
  /** Why the server refuses it; else it opens. */
  readonly refused?: string
}
const byRsa = ['--gpg-signer-key', 'client2048@spa.test']
const byEd25519 = ['--gpg-signer-key', 'client25519@spa.test']
const cases: readonly Case[] = [
  {
    name: 'RSA 2048, signed by RSA, with HMAC',
    stanza: ['GPG_DECRYPT_ID server2048@spa.test', `GPG_FINGERPRINT_ID ${client2048.subkey}`],
    argv: [...recipient('server2048'), ...byRsa],
  },
  {
    name: 'signed by ed25519, without HMAC',
    stanza: [`GPG_DECRYPT_ID ${server2048.subkey}`, `GPG_FINGERPRINT_ID ${client25519.primary}`],
    argv: [...recipient('server2048'), ...byEd25519],
    hmac: false,
  },
  {
    name: 'RSA 4096, the signer by id, beside a symmetric key',
    stanza: ['KEY a symmetric key', 'GPG_DECRYPT_ID server4096', `GPG_REMOTE_ID ${client2048.subkey.slice(-8)}`],
    argv: [...recipient('server4096'), ...byRsa],
  },
  {
    name: 'not signed, without HMAC',
    stanza: ['GPG_DECRYPT_ID server3072@spa.test', 'GPG_DISABLE_SIG Y'],
    argv: recipient('server3072'),
    hmac: false,
  },
  {
    name: 'signed by another key',
    stanza: ['GPG_DECRYPT_ID server2048@spa.test', `GPG_FINGERPRINT_ID ${client25519.primary}`],
    argv: [...recipient('server2048'), ...byRsa],
    refused: 'ACCESS_SIGNATURE_DENIED',
  },
  {
    name: 'not signed, where a signature is needed',
    stanza: ['GPG_DECRYPT_ID server2048@spa.test', `GPG_FINGERPRINT_ID ${client2048.subkey}`],
    argv: recipient('server2048'),
    refused: 'ACCESS_SIGNATURE_DENIED',
  },
  {
    name: 'encrypted for another key of the keyring',
    stanza: ['GPG_DECRYPT_ID server3072@spa.test', `GPG_FINGERPRINT_ID ${client2048.subkey}`],
    argv: [...recipient('server2048'), ...byRsa],
    refused: 'SPA_DECRYPT_FAILED',
  },
]
describe('the real fwknop client opens ghostport by GnuPG', { skip: netnsUnavailable() }, () => {
  let hosts: GnupgHosts
  let client: Host
  let daemon: Daemon

  before(async () => {
    hosts = await createGnupgHosts(cases.length)
    client = hosts.client
    const { net, server, keyring } = hosts
    dropByDefault(server)
    const access = cases.map(({ stanza, hmac = true }, i) =>
      [
        'SOURCE ANY',
        `OPEN_PORTS tcp/${portOf(i)}`,
        'GPG_ALLOW_NO_PW Y',
        ...stanza,
        ...(hmac ? [`HMAC_KEY ${hmacOf(i)}`] : []),
        '',
      ].join('\n'),
    )
    daemon = await Daemon.start(net, server, { server: [`GPG_HOME_DIR ${keyring.home}`], access: access.join('') })
    await daemon.until(({ event }) => event === 'gnupg ready')
  })
  after(() => hosts?.close())

  const fwknop = (...argv: readonly string[]): Outcome =>
    client.run(['fwknop', '--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none', '-D', SERVER, ...argv])

  for (const [i, { name, argv, hmac = true, refused }] of cases.entries())
    it(`${name}: ${refused ?? 'opens'}`, async () => {
      const probe = { protocol: 'tcp', address: SERVER, port: portOf(i), timeoutMs: 50 } as const
      assert.equal(await client.tcp(SERVER, portOf(i), probe), 'timeout', 'before the knock')
      const keys = ['-g', '--gpg-home-dir', hosts.keyring.home, '--gpg-no-signing-pw', ...argv]
      const authenticated = hmac ? ['--key-hmac', hmacOf(i)] : []
      const verdict = await daemon.verdictAfter(() => {
        const { status, stderr, stdout } = fwknop('-s', '-A', `tcp/${portOf(i)}`, ...keys, ...authenticated)
        assert.equal(status, 0, stderr + stdout)
      })
      assert.equal(verdict.code, refused, JSON.stringify(verdict))
      if (refused === undefined) await client.until(bannerOf(portOf(i)), { ...probe, timeoutMs: 500 }, 3_000)
      else assert.equal(await client.tcp(SERVER, portOf(i), probe), 'timeout')
    })
})
