import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatBundle, type NodeBundle, parseBundle } from './node-bundle.ts'

const KEY = '35ypwrVqAcz6cZR97uY4th/ruv3xSXh8wxFCWf7nPH0='
const HMAC = 'Q59xSEsvLVyXDRxrQY+EzK3hWYSBooGIKL88EJ1A9q9Onr6+YsslLdHQZDLwpE7NbBP6vtsuwxLjV0W4MdQAEA=='
const TEXT = `# The keys of ada for the node web-1, and for no other. On the node: ghostport user import FILE
# Keep this file secret. Delete it when it was read.
GHOSTPORT_BUNDLE    1
NODE                web-1
MADE                1764150000
OLD_KEYS_UNTIL      1764750000
SOURCE              192.0.2.0/24
NAME                ada
OPEN_PORTS          tcp/22,udp/53
ACCESS_EXPIRE_EPOCH 1800000000
KEY_BASE64          ${KEY}
HMAC_KEY_BASE64     ${HMAC}
`

function read(text: string): NodeBundle {
  const bundle = parseBundle('b', text)
  assert.ok(bundle.ok, JSON.stringify(bundle))
  return bundle.value
}

describe('a bundle', () => {
  it('is read as it was written', () => {
    assert.equal(formatBundle(read(TEXT)), TEXT)
    const { settings, ...others } = read(TEXT)
    assert.deepEqual(others, {
      ...{ node: 'web-1', made: 1_764_150_000, oldKeysUntil: 1_764_750_000, user: 'ada', key: KEY, hmacKey: HMAC },
    })
    assert.deepEqual(settings, [
      { name: 'SOURCE', value: '192.0.2.0/24' },
      { name: 'OPEN_PORTS', value: 'tcp/22,udp/53' },
      { name: 'ACCESS_EXPIRE_EPOCH', value: '1800000000' },
    ])
  })

  it('may have no settings: then the host decides', () => {
    const bare = formatBundle({ ...read(TEXT), settings: [] })
    assert.deepEqual(read(bare).settings, [])
  })

  for (const [what, text, says] of [
    ['nothing', '', '1 it does not begin with GHOSTPORT_BUNDLE'],
    ['a stanza of access.conf', 'SOURCE ANY\nNAME ada\n', '1 it does not begin with GHOSTPORT_BUNDLE'],
    ['a later version', TEXT.replace('BUNDLE    1', 'BUNDLE    2'), '3 it is of another version'],
    ['a program to run', `${TEXT}ENABLE_CMD_EXEC Y\n`, '13 there is no setting of a bundle ENABLE_CMD_EXEC'],
    ['a hook', `${TEXT}CMD_CYCLE_OPEN /bin/true\n`, '13 there is no setting of a bundle CMD_CYCLE_OPEN'],
    ['another file', `${TEXT}%include /etc/passwd\n`, '13 '],
    ['a second stanza', `${TEXT}SOURCE ANY\n`, '13 SOURCE is already set in line 7'],
    ['two settings in a line', TEXT.replace('tcp/22,udp/53', 'tcp/22; KEY x'), '9 more text follows the “;”'],
    ['a port that is none', TEXT.replace('tcp/22,udp/53', 'ssh'), '9 OPEN_PORTS: '],
    ['a network that is none', TEXT.replace('192.0.2.0/24', '192.0.2.0/33'), '7 SOURCE: '],
    [
      'a misspelt setting',
      TEXT.replace('OPEN_PORTS ', 'OPEN_PORT '),
      '9 there is no setting of a bundle OPEN_PORT | OPEN_PORTS',
    ],
    [
      'a node that is none',
      TEXT.replace('NODE                web-1', 'NODE                Web-1'),
      '4 NODE: a name of a node',
    ],
    [
      'a user that is none',
      TEXT.replace('NAME                ada', 'NAME                a b'),
      '8 NAME: a name is made of',
    ],
    ['a time that is none', TEXT.replace('1764150000', 'now'), '5 MADE is not a time'],
    ['an end that is none', TEXT.replace('1764750000', '-1'), '6 OLD_KEYS_UNTIL is not a time'],
    ['a cut key', TEXT.replace(KEY, KEY.slice(4)), '11 KEY_BASE64 is not base64 of 32 bytes'],
    ['a key in the place of another', TEXT.replace(HMAC, KEY), '12 HMAC_KEY_BASE64 is not base64 of 64 bytes'],
    ['a cut file', TEXT.slice(0, TEXT.indexOf('HMAC_KEY')), '1 HMAC_KEY_BASE64 is missing'],
    ['a key alone in a line', `${TEXT}${KEY}\n`, '13 '],
    ['too much', `${TEXT}${'#'.repeat(17_000)}`, '1 it has more than 16384 characters'],
    ['UTF-16', 'G\0H\0', '1 the file is not text'],
  ] as const)
    it(`refuses ${what}`, () => {
      const bundle = parseBundle('b', text)
      assert.ok(!bundle.ok)
      const { code, detail, at, suggestion } = bundle.failure
      assert.equal(code, 'BUNDLE_INVALID')
      const told = `${at?.line} ${detail}${suggestion === undefined ? '' : ` | ${suggestion}`}`
      assert.ok(told.startsWith(says), told)
      for (const key of [KEY, HMAC]) assert.ok(!JSON.stringify(bundle.failure).includes(key.slice(4, 20)))
    })
})
