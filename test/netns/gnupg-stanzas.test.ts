/** Several stanzas with one HMAC key: by the real gpg, each packet finds the stanza for its key and its signer. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { clientAndServer, Daemon, ghostportCommand, SERVER } from '../support/daemon.ts'
import { gnupgKeys, type Keyring, makeKeyring } from '../support/gnupg.ts'
import { helperService } from '../support/helper-service.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { type ReceiverService, receiverService } from '../support/receiver-service.ts'

const { client2048, client25519, server2048 } = gnupgKeys
const HMAC = 'one hmac key for all'

/** In the order of the file. All have the server’s keys in one keyring; the last one has a keyring of its own. */
const stanzas: readonly (readonly string[])[] = [
  ['OPEN_PORTS tcp/22', 'GPG_DECRYPT_ID server2048@spa.test', `GPG_FINGERPRINT_ID ${client2048.primary}`],
  ['OPEN_PORTS tcp/23', `GPG_DECRYPT_ID ${server2048.subkey}`, `GPG_FINGERPRINT_ID ${client25519.primary}`],
  ['OPEN_PORTS tcp/24', 'GPG_DECRYPT_ID server3072@spa.test', `GPG_REMOTE_ID ${client2048.subkey.slice(-16)}`],
  ['OPEN_PORTS tcp/25', `GPG_FINGERPRINT_ID ${client2048.primary}`],
  ['SOURCE 192.0.2.0/24', 'OPEN_PORTS tcp/26', `GPG_FINGERPRINT_ID ${client2048.primary}`],
  ['OPEN_PORTS tcp/22', 'GPG_HOME_DIR OTHER', `GPG_FINGERPRINT_ID ${client25519.primary}`],
]

const knocks: readonly [
  what: string,
  server: string,
  client: string,
  port: number,
  stanza: number | undefined,
  code?: string,
][] = [
  ['the first stanza', 'server2048', 'client2048', 22, 1],
  ['another signer', 'server2048', 'client25519', 23, 2],
  ['another key of the keyring', 'server3072', 'client2048', 24, 3],
  ['a port of a stanza for each key', 'server2048', 'client2048', 25, 4],
  ['the same by the other key', 'server3072', 'client2048', 25, 4],
  ['a key whose stanza does not open this port', 'server3072', 'client2048', 22, undefined, 'ACCESS_PORT_DENIED'],
  ['a signer whose stanza is for another key', 'server3072', 'client25519', 23, undefined, 'ACCESS_SIGNATURE_DENIED'],
  ['a stanza for another source', 'server2048', 'client2048', 26, undefined, 'ACCESS_PORT_DENIED'],
]

for (const way of ['a child of the warden', 'a service'] as const)
  describe(`GnuPG stanzas with one HMAC key, with a receiver and a GnuPG process that are each ${way}`, {
    skip: netnsUnavailable(),
  }, () => {
    let net: Network
    let client: Host
    let daemon: Daemon
    let service: ReceiverService | undefined
    let helpers: ReceiverService | undefined
    let all: Keyring
    let one: Keyring
    let other: Keyring

    before(async () => {
      all = makeKeyring()
      one = makeKeyring(['server2048', 'server3072', 'client2048', 'client25519'])
      other = makeKeyring(['server2048', 'client25519'])
      net = await Network.create()
      const [first, server] = await clientAndServer(net)
      client = first
      const access = stanzas.map((lines) => {
        const source = lines[0]?.startsWith('SOURCE') ? [] : ['SOURCE ANY']
        const home = lines.some((line) => line.startsWith('GPG_HOME_DIR')) ? [] : [`GPG_HOME_DIR ${one.home}`]
        return [...source, ...lines, ...home, 'GPG_ALLOW_NO_PW Y', `HMAC_KEY ${HMAC}`, ''].join('\n')
      })
      const path = join(net.directory(), 'receiver.sock')
      if (way === 'a service') {
        service = receiverService(path)
        helpers = helperService(`${path}.helpers`)
      }
      daemon = await Daemon.start(net, server, {
        access: access.join('').replace('OTHER', other.home),
        argv: service === undefined ? [] : ['--receiver-socket', path, '--helper-socket', `${path}.helpers`],
      })
      await daemon.until(({ event }) => event === 'gnupg ready')
    })
    after(async () => {
      service?.close()
      helpers?.close()
      await net?.close()
      for (const keyring of [all, one, other]) keyring?.remove()
    })

    const knock = (to: string, signer: string, port: number): void => {
      const keys = ['--gpg-home-dir', all.home, '--gpg-recipient-key', `${to}@spa.test`, '--gpg-no-signing-pw']
      const words = ['knock', '--no-rc-file', '-D', SERVER, '-s', '-A', `tcp/${port}`, ...keys]
      const { status, stderr } = client.run(
        ghostportCommand(...words, '--gpg-signer-key', `${signer}@spa.test`, '--key-hmac', HMAC),
      )
      assert.equal(status, 0, stderr)
    }

    for (const [what, to, signer, port, stanza, code] of knocks)
      it(`${what}: ${stanza === undefined ? code : `stanza ${stanza}`}`, async () => {
        const verdict = await daemon.verdictAfter(() => knock(to, signer, port))
        assert.equal(verdict.code, code, JSON.stringify(verdict))
        assert.equal(verdict.verdict, stanza === undefined ? 'refused' : 'granted')
        if (stanza !== undefined) assert.equal(verdict['stanza'], stanza, JSON.stringify(verdict))
      })

    it('a signer that only another keyring knows: the stanza with that keyring', async () => {
      // The first keyring forgets the signer, and decrypts all the same.
      one.gpg('--yes', '--delete-secret-and-public-key', client25519.primary)
      const from = daemon.events.length
      daemon.reload()
      await daemon.until(({ event }) => event === 'gnupg ready', from)
      const verdict = await daemon.verdictAfter(() => knock('server2048', 'client25519', 22))
      assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
      assert.equal(verdict['stanza'], 6)
    })
  })
