import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { clientHalves } from './client-half.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const HMAC = Buffer.alloc(64, 9).toString('base64')
const TEXT = `# the server's
SOURCE          ANY
NAME            ada
OPEN_PORTS      tcp/22, udp/53
KEY_BASE64      ${KEY}
HMAC_KEY_BASE64 ${HMAC}
REQUIRE_USERNAME ada
FW_ACCESS_TIMEOUT 30

SOURCE: 10.0.0.0/8;
KEY: a passphrase;
HMAC_DIGEST_TYPE sha512
CMD_CYCLE_OPEN  /bin/open $PORT

SOURCE ANY
GPG_DECRYPT_ID ABCD1234
`

test('each stanza with a key gives its client half', () => {
  assert.deepEqual(clientHalves(TEXT), {
    ok: true,
    value: [
      {
        name: 'ada',
        settings: [
          { name: 'ACCESS', value: 'tcp/22,udp/53' },
          { name: 'KEY_BASE64', value: KEY },
          { name: 'HMAC_KEY_BASE64', value: HMAC },
          { name: 'SPOOF_USER', value: 'ada' },
        ],
      },
      {
        name: 'stanza-2',
        settings: [
          { name: 'KEY', value: 'a passphrase' },
          { name: 'HMAC_DIGEST_TYPE', value: 'sha512' },
        ],
      },
    ],
  })
})

test('what is wrong is told with its line, and without a key', () => {
  for (const [text, told, line] of [
    ['SOURCE ANY\nKEY_BASE64 !!secret!!\n', /^KEY_BASE64: /, 2],
    ['SOURCE ANY\nOPEN_PORTS tcp/0\nKEY secret\n', /^OPEN_PORTS: /, 2],
    ['SOURCE ANY\nKEY __CHANGEME__\n', /^KEY: /, 2],
    ['SOURCE ANY\nGPG_DECRYPT_ID ABCD1234\n', /no stanza of this access\.conf has an encryption key/, undefined],
  ] as const) {
    const read = clientHalves(text)
    assert.ok(!read.ok)
    assert.match(read.failure.detail, told)
    assert.doesNotMatch(JSON.stringify(read), /secret/)
    assert.equal(read.failure.at?.line, line)
  }
})

test('no text makes it throw', () => {
  const word = fc.constantFrom(
    'SOURCE',
    'KEY',
    'KEY_BASE64',
    'OPEN_PORTS',
    'NAME',
    ' ',
    '\n',
    ';',
    ':',
    KEY,
    '[',
    '%include',
  )
  fc.assert(
    fc.property(
      fc.array(fc.oneof(word, fc.string()), { maxLength: 30 }),
      (words) => void clientHalves(words.join(' ')),
    ),
  )
})
