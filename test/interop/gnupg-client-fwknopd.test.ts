/** `ghostport knock` with GnuPG opens the real fwknopd, behind iptables. Each case has a port of its own. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { SERVER } from '../support/daemon.ts'
import { gnupgKeys } from '../support/gnupg.ts'
import { bannerOf, createGnupgHosts, type GnupgHosts, hmacOf, portOf, recipient } from '../support/gnupg-hosts.ts'
import { type Host, netnsUnavailable, type Program } from '../support/netns.ts'
import { type AccessLines, knock, startFwknopd } from './client-fwknopd.ts'

const { client2048, client25519 } = gnupgKeys
const signedBy = ({ subkey }: { readonly subkey: string }): AccessLines => [['GPG_FINGERPRINT_ID', subkey]]
const decryptedBy = (server: string): AccessLines => [
  ['GPG_DECRYPT_ID', `${server}@spa.test`],
  ['GPG_ALLOW_NO_PW', 'Y'],
]
const byRsa = ['--gpg-signer-key', 'client2048@spa.test', '--gpg-no-signing-pw']
const byEd25519 = ['--gpg-signer-key', client25519.primary, '--gpg-no-signing-pw']

interface Case {
  readonly name: string
  readonly stanza: AccessLines
  readonly argv: readonly string[]
  /** Default true. fwknopd tries each stanza in turn: a stanza without HMAC opens only packets without one. */
  readonly hmac?: boolean
}
const cases: readonly Case[] = [
  {
    name: 'RSA 2048, signed by RSA, with HMAC',
    stanza: [...decryptedBy('server2048'), ...signedBy(client2048)],
    argv: [...recipient('server2048'), ...byRsa],
  },
  {
    name: 'RSA 2048, signed by ed25519, without HMAC',
    stanza: [...decryptedBy('server2048'), ...signedBy(client25519)],
    argv: [...recipient('server2048'), ...byEd25519],
    hmac: false,
  },
  {
    name: 'RSA 3072, signed by ed25519',
    stanza: [...decryptedBy('server3072'), ...signedBy(client25519)],
    argv: [...recipient('server3072'), ...byEd25519],
  },
  {
    name: 'RSA 4096, signed by RSA, without HMAC',
    stanza: [...decryptedBy('server4096'), ...signedBy(client2048)],
    argv: [...recipient('server4096'), ...byRsa],
    hmac: false,
  },
  {
    name: 'not signed',
    stanza: [...decryptedBy('server2048'), ['GPG_DISABLE_SIG', 'Y']],
    argv: recipient('server2048'),
  },
]
describe('ghostport knock opens the real fwknopd by GnuPG', { skip: netnsUnavailable() }, () => {
  let hosts: GnupgHosts
  let client: Host
  let fwknopd: Program

  before(async () => {
    hosts = await createGnupgHosts(cases.length)
    client = hosts.client
    const { net, server, keyring } = hosts
    fwknopd = await startFwknopd(
      net,
      server,
      cases.map(({ stanza, hmac = true }, i) => [
        ['SOURCE', 'ANY'],
        ['OPEN_PORTS', `tcp/${portOf(i)}`],
        ['GPG_HOME_DIR', keyring.home],
        ...stanza,
        ...(hmac ? ([['HMAC_KEY', hmacOf(i)]] as const) : []),
      ]),
    )
  })
  after(() => hosts?.close())

  for (const [i, { name, argv, hmac = true }] of cases.entries())
    it(name, async () => {
      assert.match(await client.tcp(SERVER, portOf(i)), /^(refused|timeout)$/, 'before the knock')
      const authenticated = hmac ? ['--key-hmac', hmacOf(i)] : []
      const ports = ['-s', '-A', `tcp/${portOf(i)}`]
      const home = ['--gpg-home-dir', hosts.keyring.home]
      const { status, stderr } = knock(client, '-D', SERVER, ...ports, ...home, ...argv, ...authenticated)
      assert.equal(status, 0, stderr)
      const probe = { protocol: 'tcp', address: SERVER, port: portOf(i), timeoutMs: 150 } as const
      await client.until(bannerOf(portOf(i)), probe, 5_000).catch((error: unknown) => {
        throw new Error(`fwknopd said:\n${fwknopd.output.split('\n').slice(-6).join('\n')}`, { cause: error })
      })
    })

  const impossible: [what: string, argv: readonly string[], detail: RegExp][] = [
    ['a key that the format has no room for', ['--gpg-recipient-key', 'server25519@spa.test'], /RSA or Elgamal key/],
    ['no recipient', ['-g'], /--gpg-recipient-key/],
    ['a recipient that is not in the keyring', ['--gpg-recipient-key', 'x@y.test'], /“x@y.test” is none/],
  ]
  for (const [what, argv, detail] of impossible)
    it(`sends nothing for ${what}`, () => {
      const { status, stderr } = knock(
        client,
        '-D',
        SERVER,
        '-s',
        '-A',
        'tcp/1',
        '--gpg-home-dir',
        hosts.keyring.home,
        ...argv,
      )
      assert.notEqual(status, 0)
      assert.match(stderr, detail)
    })

  it('sends nothing that is too long for one packet', () => {
    const big = ['--gpg-recipient-key', 'server4096@spa.test', '--gpg-signer-key', 'server4096@spa.test']
    const argv = [
      '-D',
      SERVER,
      '-s',
      '-A',
      'tcp/1',
      '--gpg-home-dir',
      hosts.keyring.home,
      ...big,
      '--gpg-no-signing-pw',
    ]
    const { status, stderr } = knock(client, ...argv)
    assert.equal(status, 64)
    assert.match(stderr, /one packet has at most 1500: sign with an ed25519 key/)
  })
})
