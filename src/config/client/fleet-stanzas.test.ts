import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exposeKey } from '../../packet/key.ts'
import { parseFwknoprc, type RcFile } from './parse-fwknoprc.ts'
import { profileStanza } from './profile.ts'

/** That of docs/WIRE.md § 17. */
const SECRET = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const WEB_1 = '35ypwrVqAcz6cZR97uY4th/ruv3xSXh8wxFCWf7nPH0='
const FILE = `[default]
SPA_SERVER_PORT     62201
ALLOW_IP            192.0.2.1

[ada]
FLEET
NODE_SECRET_BASE64  ${SECRET}
ALLOW_IP            source
ACCESS              tcp/22

[web-1]
FLEET               ada
NODE                web-1
SPA_SERVER          web-1.example.org

[Tor]
FLEET:              ADA
NODE                web-2
SPA_SERVER          192.0.2.7
SPA_SERVER_PORT     62202
ACCESS              tcp/443

[plain]
SPA_SERVER          192.0.2.9
KEY                 other
`

function read(text: string): RcFile {
  const file = parseFwknoprc('rc', text)
  assert.ok(file.ok)
  return file.value
}

/** What is wrong with a stanza. */
function failure(text: string, stanza: string) {
  const settings = read(text).settings(stanza)
  assert.ok(!settings.ok)
  assert.ok(!JSON.stringify(settings.failure).includes(SECRET.slice(0, 12)))
  const { code, detail, at, suggestion } = settings.failure
  return `${at?.line ?? '-'} ${code} ${detail}${suggestion === undefined ? '' : ` | ${suggestion}`}`
}

describe('a fleet in the rc file', () => {
  it('a node has derived keys, and what the fleet and [default] say under its own settings', () => {
    const settings = read(FILE).settings('web-1')
    assert.ok(settings.ok)
    const { encryptionKey, hmacKey, server, serverPort, allow, access, gpg, ...others } = settings.value
    assert.ok(encryptionKey && 'key' in encryptionKey && hmacKey && 'key' in hmacKey)
    assert.equal(Buffer.from(exposeKey(encryptionKey.key)).toString('base64'), WEB_1)
    assert.equal(exposeKey(hmacKey.key).length, 64)
    assert.deepEqual([server, serverPort, allow, gpg], ['web-1.example.org', 62201, 'packet-source', null])
    assert.deepEqual(access, [{ protocol: 'tcp', port: 22 }])
    assert.deepEqual(others, { randomPort: false }, 'neither the secret nor the names are passed on')
  })

  it('the key name counts, and not the name of the stanza; names of stanzas are the same in any case', () => {
    const file = read(FILE)
    const own = file.settings('tor')
    assert.ok(own.ok)
    assert.deepEqual([own.value.server, own.value.serverPort], ['192.0.2.7', 62202])
    assert.deepEqual(own.value.access, [{ protocol: 'tcp', port: 443 }])
    assert.deepEqual(file.nodesOf('ADA'), ['web-1', 'Tor'])
    assert.equal(file.nodesOf('plain'), undefined)
    assert.equal(file.nodesOf('web-1'), undefined)
    assert.deepEqual(file.withServer('192.0.2.7'), ['Tor'])
  })

  it('as texts, a node is an ordinary stanza, which fwknop understands', () => {
    const settings = read(FILE).texts('web-1')
    assert.equal(
      profileStanza({ name: 'web-1', settings }),
      `[web-1]
SPA_SERVER_PORT     62201
ALLOW_IP            source
ACCESS              tcp/22
SPA_SERVER          web-1.example.org
KEY_BASE64          ${WEB_1}
HMAC_KEY_BASE64     Q59xSEsvLVyXDRxrQY+EzK3hWYSBooGIKL88EJ1A9q9Onr6+YsslLdHQZDLwpE7NbBP6vtsuwxLjV0W4MdQAEA==`,
    )
    assert.deepEqual(
      read(FILE)
        .texts('plain')
        .map(({ name }) => name),
      ['SPA_SERVER_PORT', 'ALLOW_IP', 'SPA_SERVER', 'KEY'],
    )
  })

  it('a file with a secret is a file with keys', () => {
    assert.ok(read(`[a]\nFLEET\nNODE_SECRET_BASE64 ${SECRET}\n`).holdsKeys)
  })

  const fleet = `[ada]\nFLEET\nNODE_SECRET_BASE64 ${SECRET}\n`
  const node = '[w]\nFLEET ada\nNODE web-1\n'
  for (const [what, text, stanza, says] of [
    ['no secret', '[ada]\nFLEET\nACCESS tcp/22\n', 'ada', '2 CONFIG_CONFLICT a fleet needs its secret | a line NODE'],
    [
      'a secret without FLEET',
      `[ada]\nNODE_SECRET_BASE64 ${SECRET}\n`,
      'ada',
      '2 CONFIG_SYNTAX NODE_SECRET_BASE64 needs',
    ],
    [
      'the secret first',
      `[ada]\nNODE_SECRET_BASE64 ${SECRET}\nFLEET\n`,
      'ada',
      '2 CONFIG_SYNTAX NODE_SECRET_BASE64 needs',
    ],
    [
      'a cut secret',
      `[ada]\nFLEET\nNODE_SECRET_BASE64 ${SECRET.slice(3)}\n`,
      'ada',
      '3 KEY_INVALID NODE_SECRET_BASE64: ',
    ],
    ['a key in a fleet', `${fleet}KEY x\n`, 'ada', '4 CONFIG_CONFLICT KEY has no effect in a fleet'],
    ['a node in a fleet', `${fleet}NODE x\n`, 'ada', '4 CONFIG_CONFLICT NODE belongs in the stanza of a node'],
    ['in [default]', '[default]\nNODE x\n', 'default', '2 CONFIG_CONFLICT NODE belongs in a stanza with a name'],
    [
      'a fleet in [default]',
      '[default]\nFLEET\n',
      'default',
      '2 CONFIG_CONFLICT FLEET belongs in a stanza with a name',
    ],
    [
      'no such fleet',
      `${fleet}[w]\nFLEET adda\nNODE x\n`,
      'w',
      '5 CONFIG_MISSING_KEY FLEET: rc has no stanza [adda] | ada',
    ],
    [
      'a fleet that is none',
      '[x]\nVERBOSE Y\n[w]\nFLEET x\nNODE x\n',
      'w',
      '4 CONFIG_CONFLICT FLEET: the stanza [x] is no fleet',
    ],
    ['itself', '[w]\nFLEET w\nNODE x\n', 'w', '2 CONFIG_CONFLICT FLEET: the stanza [w] is no fleet'],
    ['a fault in the fleet', `${fleet}ACCESS x\n${node}`, 'w', '4 CONFIG_INVALID_VALUE ACCESS: '],
    [
      'no key name',
      `${fleet}[w]\nFLEET ada\n`,
      'w',
      '5 CONFIG_CONFLICT FLEET needs NODE: the key name of this server | NODE',
    ],
    ['no fleet', '[w]\nNODE web-1\n', 'w', '2 CONFIG_CONFLICT NODE has no effect without FLEET'],
    [
      'a key besides',
      `${fleet}${node}HMAC_KEY_BASE64 ${WEB_1}\n`,
      'w',
      '7 CONFIG_CONFLICT HMAC_KEY_BASE64 contradicts NODE in line 6',
    ],
    [
      'GnuPG besides',
      `${fleet}${node}GPG_RECIPIENT x\n`,
      'w',
      '7 CONFIG_CONFLICT GPG_RECIPIENT contradicts NODE in line 6',
    ],
    [
      'the secret in a node',
      `${fleet}${node}NODE_SECRET_BASE64 ${SECRET}\n`,
      'w',
      '7 CONFIG_CONFLICT the secret belongs in',
    ],
    [
      'a key name in capitals',
      `${fleet}[w]\nFLEET ada\nNODE Web-1\n`,
      'w',
      '6 CONFIG_INVALID_VALUE NODE: a name of a node is',
    ],
    [
      'two fleets of one name',
      `${fleet}${fleet}${node}`,
      'w',
      '4 CONFIG_CONFLICT the stanza [ada] already begins in line 1',
    ],
    [
      'a misspelt setting',
      `${fleet}[w]\nFLEET ada\nNODDE x\n`,
      'w',
      '6 CONFIG_UNKNOWN_KEY there is no setting NODDE | NODE',
    ],
  ] as const)
    it(`refuses ${what}`, () => {
      const told = failure(text, stanza)
      assert.ok(told.startsWith(says), told)
    })

  it('what is wrong with one node keeps nobody from the others', () => {
    const file = read(`${FILE}[bad]\nFLEET nobody\nNODE x\n`)
    assert.ok(!file.settings('bad').ok)
    assert.ok(file.settings('web-1').ok)
    assert.deepEqual(file.texts('bad'), [
      { name: 'SPA_SERVER_PORT', value: '62201' },
      { name: 'ALLOW_IP', value: '192.0.2.1' },
    ])
  })
})
