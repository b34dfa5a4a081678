/**
 * Keys in Latin-1, in every place for a key: the real fwknop client and `ghostport knock` on `ghostport serve`. To
 * fwknop a key is bytes. Two keys that differ only in bytes that are not UTF-8 are different keys.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const SERVER = '10.9.0.2'
/** Each character stands for a byte. The last is a blank in Unicode, but not to fwknop. */
const KEY = 'gr\xfc\xdfe\xa0'
const HMAC_KEY = 'schl\xfcssel'
const OTHER_KEY = 'gr\xe4\xf6e\xa0'
const OTHER_HMAC_KEY = 'schl\xf6ssel'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
/** For a shell, in single-byte octal. */
const quoted = (text: string): string =>
  `"$(printf '${[...bytes(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')}')"`

describe('keys in Latin-1 open ghostport', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let daemon: Daemon
  let directory: string

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    const server = await net.host('server')
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    dropByDefault(server)
    directory = net.directory()
    const keys = join(directory, 'server.keys')
    writeFileSync(keys, bytes(`KEY f\xfcr\nHMAC_KEY b\xfccher\n`), { mode: 0o600 })
    daemon = await Daemon.start(net, server, {
      access: bytes(
        `# gr\xfc\xdfe, in a comment\nSOURCE ANY\nOPEN_PORTS tcp/22\nKEY ${KEY}\nHMAC_KEY ${HMAC_KEY}\n` +
          `SOURCE ANY\n%include_keys ${keys}\n`,
      ),
    })
  })
  after(() => net?.close())

  const write = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, bytes(text), { mode: 0o600 })
    return path
  }
  const rcFile = (name: string, key: string, hmacKey: string): string =>
    write(name, `[default]\n# \xfc\nKEY ${key}\nHMAC_KEY ${hmacKey}\n`)
  const fwknop = ['fwknop', '--no-home-dir', '--no-save-args', '-E', 'none'].join(' ')
  const ghostport = ghostportCommand('knock').join(' ')
  const knock = '-D 10.9.0.2 -s -A tcp/22'

  /** @param words in the language of the shell. */
  function shell(words: string): Outcome {
    return client.run(['sh', '-c', write('knock.sh', words).replace(/^/, '. ')])
  }

  type Way = [how: string, words: (key: string, hmacKey: string) => string]
  const ways: Way[] = [
    ['fwknop, its rc file', (key, hmac) => `${fwknop} --rc-file ${rcFile('rc', key, hmac)} ${knock}`],
    [
      'fwknop, key files',
      (key, hmac) =>
        `${fwknop} --no-rc-file ${knock} -G ${write('k', `${SERVER}: ${key}\n`)} --get-hmac-key ${write('h', `${SERVER}: ${hmac}\n`)}`,
    ],
    [
      'fwknop, its command line',
      (key, hmac) => `${fwknop} --no-rc-file ${knock} --key-rijndael ${quoted(key)} --key-hmac ${quoted(hmac)}`,
    ],
    ['ghostport, its rc file', (key, hmac) => `${ghostport} --rc-file ${rcFile('rc', key, hmac)} ${knock}`],
    [
      'ghostport, key files',
      (key, hmac) =>
        `${ghostport} --no-rc-file ${knock} -G ${write('k', `${SERVER}: ${key}\n`)} --get-hmac-key ${write('h', `${SERVER}: ${hmac}\n`)}`,
    ],
    [
      'ghostport, its command line',
      (key, hmac) => `${ghostport} --no-rc-file ${knock} --key-rijndael ${quoted(key)} --key-hmac=${quoted(hmac)}`,
    ],
    [
      'ghostport, standard input',
      (key, hmac) => `${ghostport} --no-rc-file ${knock} --use-hmac --stdin <${write('in', `${key}\n${hmac}\n`)}`,
    ],
    [
      'ghostport, a descriptor',
      (key, hmac) => `${ghostport} --no-rc-file ${knock} --use-hmac --fd 3 3<${write('in', `${key}\n${hmac}\n`)}`,
    ],
  ]
  for (const [how, words] of ways) {
    it(`${how}: the same bytes`, async () => {
      const verdict = await daemon.verdictAfter(() => {
        const { status, stdout, stderr } = shell(words(KEY, HMAC_KEY))
        assert.equal(status, 0, stderr + stdout)
      })
      assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
      assert.equal(verdict.stanza, 1)
    })
    for (const [what, key, hmac, code] of [
      ['HMAC key', KEY, OTHER_HMAC_KEY, 'SPA_HMAC_MISMATCH'],
      ['encryption key', OTHER_KEY, HMAC_KEY, 'SPA_DECRYPT_FAILED'],
    ] as const)
      it(`${how}: other bytes for the ${what}`, async () => {
        const verdict = await daemon.verdictAfter(() => {
          const { status, stdout, stderr } = shell(words(key, hmac))
          assert.equal(status, 0, stderr + stdout)
        })
        assert.equal(verdict.verdict, 'refused', JSON.stringify(verdict))
        // A wrong key sometimes leaves padding that looks right.
        assert.match(
          verdict.code ?? '',
          code === 'SPA_HMAC_MISMATCH'
            ? /^SPA_HMAC_MISMATCH$/
            : /^SPA_(DECRYPT_FAILED|FIELD_INVALID|MALFORMED|DIGEST_MISMATCH)$/,
        )
      })
  }

  it('a file of %include_keys', async () => {
    const verdict = await daemon.verdictAfter(() => {
      const { status, stderr } = shell(
        `${fwknop} --rc-file ${rcFile('rc', 'f\xfcr', 'b\xfccher')} -D ${SERVER} -s -A tcp/80`,
      )
      assert.equal(status, 0, stderr)
    })
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    assert.equal(verdict.stanza, 2)
  })
})
