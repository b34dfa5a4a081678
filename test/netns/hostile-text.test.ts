/**
 * A key holder attacks the administrator's terminal with control characters, in each text field of a packet. The
 * packets are authentic, so they are reported. No program of ours may pass their text on unchanged.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { encodeBase64 } from '../../src/bytes/base64.ts'
import { encodeText } from '../../src/bytes/text.ts'
import { encrypt } from '../../src/packet/cipher.ts'
import { encodeFields, type MessageFields } from '../../src/packet/fields.ts'
import { EncryptionKey } from '../../src/packet/key.ts'
import { Daemon, ghostportCommand, keys, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const SERVER = '10.9.0.2'
/** Without the line ends of a log and of a page. */
const HARMFUL = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

/** Each clears the screen, names the window, forges a line, or hides or turns the text after it. */
const ATTACKS: readonly (readonly [what: string, text: string])[] = [
  ['CSI', '\u001b[2J\u001b[1;1H'],
  ['OSC', '\u001b]0;pwned\u0007'],
  ['C1', '\u009b2J\u009d0;pwned\u009c'],
  ['DEL', 'aaa\u007f\u007f\u007f'],
  ['a turned line', '\u202egpj.exe'],
  ['a forged line', '\n  2026-01-01T00:00:00.000Z  10.9.0.9  stanza 1  granted tcp/22\r'],
  ['another end of a line', '\u2028\u0085forged'],
]

/** A sealed packet with any fields. */
function seal(fields: Partial<MessageFields>): string {
  const whole: MessageFields = {
    randVal: String(randomBytes(7).readUIntBE(0, 6)).padStart(16, '1'),
    username: 'mallory',
    timestamp: Math.floor(Date.now() / 1000),
    version: '3.0.0',
    messageType: 1,
    message: '0.0.0.0,tcp/22',
    natAccess: null,
    serverAuth: null,
    clientTimeout: 0,
    ...fields,
  }
  const plaintext = encodeFields(whole, { digestType: 'sha256', padded: false })
  const key = EncryptionKey.fromBytes(encodeText(keys.key))
  assert.ok(key.ok)
  const encoded = encodeBase64(encrypt(plaintext, { key: key.value, mode: 'CBC' }, randomBytes(8)))
  const tag = createHmac('sha256', keys.hmac).update(encoded).digest('base64').replace(/=+$/, '')
  return `${encoded.replace(/^U2FsdGVkX1/, '')}${tag}`
}

describe('text of a key holder who means harm', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  const settings = ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y']

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    server = await net.host('server')
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    daemon = await Daemon.start(net, server, { server: settings, access: stanza() })
  })
  after(async () => await net?.close())

  const status = (...words: readonly string[]) =>
    ghostportCommand('status', '--socket', daemon.path('state/control.sock'), ...words)
  /** What root sees: on a terminal, with our colours. */
  const onTerminal = (): string =>
    server.must([
      'script',
      '-qec',
      status()
        .map((word) => `'${word}'`)
        .join(' '),
      '/dev/null',
    ])

  const fields: readonly (readonly [field: string, code: string, make: (text: string) => Partial<MessageFields>])[] = [
    ['the user name', 'SPA_FIELD_INVALID', (text) => ({ username: `m${text}`.slice(0, 48) })],
    ['the ports', 'SPA_FIELD_INVALID', (text) => ({ message: `0.0.0.0,${text}` })],
    ['the address', 'SPA_FIELD_INVALID', (text) => ({ message: `${text},tcp/22` })],
    ['the command', 'ACCESS_COMMAND_DENIED', (text) => ({ messageType: 0, message: `0.0.0.0,${text}` })],
    ['the NAT host', 'SPA_FIELD_INVALID', (text) => ({ messageType: 2, natAccess: `${text},22` })],
    ['the local host', 'SPA_FIELD_INVALID', (text) => ({ messageType: 5, natAccess: `${text},22` })],
  ]
  for (const [field, code, make] of fields)
    it(`in ${field}: the log, the status and the JSON are harmless`, async () => {
      for (const [what, text] of ATTACKS) {
        const refused = await daemon.verdictAfter(() => sendPacket(client, SERVER, seal(make(text))))
        assert.equal(refused.code, code, what)
      }
      for (const [where, output] of [
        ['log', daemon.program.output],
        ['status --json', server.must(status('--json'))],
        ['status', server.must(status())],
      ] as const)
        assert.doesNotMatch(output, HARMFUL, where)
      const terminal = onTerminal()
      assert.match(terminal, /\p{Cc}\[1m/u, 'it is a terminal')
      // Our own marks, and the line ends of a terminal.
      assert.doesNotMatch(terminal.replace(/\p{Cc}\[(1|22|31|32|39)m|\r\n/gu, ''), HARMFUL)
      assert.doesNotMatch(terminal, /^ +2026-01-01/m, 'no forged line')
    })

  it('the text is told all the same, by its numbers', async () => {
    await daemon.verdictAfter(() => sendPacket(client, SERVER, seal({ message: '0.0.0.0,\u001b]0;pwned\u0007' })))
    assert.match(server.must(status()), /“\\x1b\]0;pwned\\x07” is not a protocol and port/)
  })

  it('a name in UTF-8 stays readable', async () => {
    await daemon.verdictAfter(() => sendPacket(client, SERVER, seal({ message: '0.0.0.0,Zoë/山田' })))
    assert.match(server.must(status()), /“Zoë\/山田” is not a protocol and port/)
    assert.match(daemon.program.output, /“Zoë\/山田” is not a protocol and port/)
  })

  it('a user’s own key file, included by access.conf, is told by the same rule', () => {
    const hostile = '\u001b]0pwned\u0007\u009b2J\u202e'
    const turned = 'more\u202e\u200b.conf'
    writeFileSync(daemon.path('key.conf'), `BEGIN${hostile} x\n`, { mode: 0o600 })
    writeFileSync(daemon.path(turned), 'NONSENSE x\n', { mode: 0o600 })
    for (const name of ['key.conf', turned]) {
      writeFileSync(daemon.path('other.conf'), `${stanza()}%include ${daemon.path(name)}\n`, { mode: 0o600 })
      const words = ['serve', '--exit-parse-config', '-c', daemon.path('fwknopd.conf'), '-a', daemon.path('other.conf')]
      const { status: ended, stderr } = server.run(ghostportCommand(...words))
      assert.notEqual(ended, 0)
      assert.match(stderr, /key\.conf:1|more\\u\{202e\}\\u\{200b\}\.conf:1/)
      assert.doesNotMatch(stderr, HARMFUL)
    }
  })

  it('arguments are told by the same rule', () => {
    const { stderr } = server.run(ghostportCommand('status', '--nonsense\u001b[2J\u009b\n<0>forged'))
    assert.match(stderr, /\\x1b\[2J\\x9b\\n/)
    assert.doesNotMatch(stderr, HARMFUL)
    assert.equal(stderr.trimEnd().split('\n').length, 1)
  })
})
