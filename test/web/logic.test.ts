/** What the page computes, without a browser: what was pasted, whom to open for, which packets. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { pagePermissions } from '../../src/cli/gateway/page-permissions.ts'
import { contentPolicy } from '../../src/http-server/security-headers.ts'
import { parseAddress } from '../../src/packet/address.ts'
import { DIGEST_TYPES } from '../../src/packet.ts'
import { seconds } from '../../src/units.ts'
import { isConfirmed, judgeEchoes, relayOf } from '../../web/page/knock/addresses.ts'
import type { Echo } from '../../web/page/knock/gateway.ts'
import { withOldHeader } from '../../web/page/knock/gnupg.ts'
import { requestsFor } from '../../web/page/knock/requests.ts'
import { keysOf, sealRequests } from '../../web/page/knock/seal.ts'
import { skewOf } from '../../web/page/knock/skew.ts'
import { readFleet, readRc } from '../../web/page/parts/rc-reader.ts'
import { parseGatewayUrl, parseTarget } from '../../web/page/profile/gateway-url.ts'
import { newProfile, settingsOf } from '../../web/page/profile/kept.ts'
import { linksFor, parseLink } from '../../web/page/profile/links.ts'
import { factsOf, summary } from '../../web/page/profile/opens.ts'
import { MOST_CHARACTERS, readText } from '../../web/page/profile/read.ts'
import { asKept, readKept } from '../../web/page/vault/read-kept.ts'
import { pagePolicy } from '../../web/policy.mjs'
import { HMAC, KEY, messageIn, PROFILE, profileLine } from './on-the-page.ts'

const ip = (text: string) => {
  const address = parseAddress(text)
  assert.ok(address.ok)
  return address.value
}
const world = { now: 1_795_000_000 as never, randomBytes: (length: number) => new Uint8Array(length).fill(3) }

describe('a text', () => {
  // text → what it is, or the detail of the refusal
  const cases: readonly (readonly [string, string, string | RegExp])[] = [
    ['a profile', PROFILE, 'profile'],
    ['a profile with blanks around it', `\uFEFF \n${PROFILE}\n`, 'profile'],
    ['both keys of fwknop’s QR code', `KEY_BASE64:${KEY} HMAC_KEY_BASE64:${HMAC}`, 'keys'],
    ['one key, raw', 'KEY:a passphrase'.replace(' ', '_'), 'keys'],
    ['a .fwknoprc', `[default]\nSPA_SERVER 192.0.2.9\n`, 'rc'],
    ['an access.conf', `# ours\nSOURCE ANY\nKEY_BASE64 ${KEY}\n`, 'access'],
    ['an access.conf of old', `SOURCE: ANY;\nKEY: a passphrase;\n`, 'access'],
    ['nothing', ' \n', /no text/],
    ['a key twice', `KEY_BASE64:${KEY} KEY:other`, /twice/],
    ['the HMAC key alone', `HMAC_KEY_BASE64:${HMAC}`, /encryption key is missing/],
    ['a key that is none', 'KEY_BASE64:%%%', /cannot be used/],
    ['a word that is no key', `KEY_BASE64:${KEY} SHELL:rm`, /is not NAME:KEY/],
    ['an address of the web', 'https://example.org', /does not begin with ghostport/],
    ['too much', 'x'.repeat(MOST_CHARACTERS + 1), /no profile is that long/],
  ]
  for (const [what, text, expected] of cases)
    it(`${what}: ${typeof expected === 'string' ? expected : 'refused'}`, () => {
      const read = readText(text)
      if (typeof expected === 'string') assert.equal(read.ok && read.value.kind, expected)
      else assert.match(read.ok ? '' : read.failure.detail, expected)
    })

  it('may name gateways and its target there', () => {
    const read = readText(profileLine('tcp/22&gateway=https://a.example,https://b.example:8443&target=office'))
    assert.ok(read.ok && read.value.kind === 'profile', JSON.stringify(read))
    const { gateways, target, settings } = read.value.profile
    assert.deepEqual([gateways, target], [['https://a.example', 'https://b.example:8443'], 'office'])
    assert.ok(!settings.some(({ name }) => name.startsWith('GATEWAY')))
    assert.equal(readText(profileLine('tcp/22&gateway=http://a.example')).ok, false)
  })

  it('is never quoted where it holds a key', () => {
    for (const text of [`KEY_BASE64:%${KEY}`, PROFILE.replace('&made', '%%&made'), `${PROFILE}&x=1`]) {
      const read = readText(text)
      assert.ok(!read.ok && !read.failure.detail.includes('BwcHBw'), JSON.stringify(read))
    }
  })

  it('of any kind makes no reader throw', () => {
    const pieces = fc.constantFrom('KEY:', 'HMAC_KEY_BASE64:', '[a]\n', 'ghostport://profile/1?', 'key=', '&', '=', ' ')
    const text = fc
      .array(fc.oneof(fc.string({ unit: 'binary' }), pieces), { maxLength: 12 })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, (some) => {
        readText(some)
        readRc(some)
        readFleet(some)
        readKept(some)
        parseGatewayUrl(some)
        parseLink(some)
        parseTarget(some)
      }),
    )
  })
})

describe('a .fwknoprc', () => {
  it('gives each stanza with what [default] says besides', () => {
    const read = readRc(
      `[default]\nFW_TIMEOUT 30\nKEY raw\n[a]\nSPA_SERVER a.example\nACCESS tcp/22\nKEY_BASE64 ${KEY}\n[b]\nSPA_SERVER b.example\nFW_TIMEOUT 60\n`,
    )
    assert.ok(read.ok, JSON.stringify(read))
    const texts = read.value.map(({ name, settings }) => [name, ...settings.map((it) => `${it.name}=${it.value}`)])
    assert.deepEqual(texts, [
      ['a', 'FW_TIMEOUT=30', 'SPA_SERVER=a.example', 'ACCESS=tcp/22', `KEY_BASE64=${KEY}`],
      ['b', 'KEY=raw', 'SPA_SERVER=b.example', 'FW_TIMEOUT=60'],
    ])
  })

  it('with a fault is refused with its line', () => {
    const read = readRc('[a]\nSPA_SERVER a.example\nACCES tcp/22\n')
    assert.equal(!read.ok && read.failure.at?.line, 3)
  })
})

describe('the profile of a fleet', () => {
  const line = (secret = SECRET) =>
    `ghostport://fleet/1?name=ada&allow=resolve&open=tcp/22&gateway=https://gate.example&secret=${secret}&made=1764150000&node=web-1,w1.example&node=db,192.0.2.3,62203`
  const SECRET = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
  it('is several profiles, each with its own keys, and none with the secret', () => {
    const found = readText(` ${line()}\n`)
    assert.ok(found.ok && found.value.kind === 'fleet')
    const read = readFleet(found.value.text)
    assert.ok(read.ok, JSON.stringify(read))
    const kept = read.value.map(({ name, settings, made, until }) => newProfile(name, settings, made, until))
    assert.deepEqual(
      kept.map(({ name, target, gateways, made }) => [name, target, gateways, made]),
      [
        ['web-1', 'web-1', ['https://gate.example'], 1_764_150_000],
        ['db', 'db', ['https://gate.example'], 1_764_150_000],
      ],
    )
    assert.ok(JSON.stringify(kept[0]).includes('35ypwrVqAcz6cZR97uY4th/ruv3xSXh8wxFCWf7nPH0='), 'docs/WIRE.md § 17')
    assert.ok(!JSON.stringify(kept).includes(SECRET.slice(0, 12)))
  })
  it('with a fault is refused, and not quoted', () => {
    const read = readFleet(line(SECRET.slice(4)))
    assert.ok(!read.ok && !read.failure.detail.includes(SECRET.slice(4, 16)))
  })
})

describe('what goes into packets', () => {
  const messagesOf = async (open: string, sources: readonly string[], timeout?: number) => {
    const read = readText(profileLine(open))
    assert.ok(read.ok && read.value.kind === 'profile', JSON.stringify(read))
    const settings = settingsOf(read.value.profile.settings)
    assert.ok(settings.ok)
    const keys = keysOf(settings.value, undefined)
    assert.ok(keys.ok)
    const messages: string[] = []
    for (const source of sources) {
      const requests = requestsFor(settings.value, {
        source: ip(source),
        random: 5,
        ...(timeout !== undefined && { timeout: seconds(timeout) }),
      })
      assert.ok(requests.ok, JSON.stringify(requests))
      const packets = await sealRequests(requests.value, { settings: settings.value, keys: keys.value }, world)
      assert.ok(packets.ok, JSON.stringify(packets))
      messages.push(...packets.value.map((it) => messageIn(it)))
    }
    return messages
  }

  it('names the visitor, and never the packet’s own source', async () => {
    const messages = await messagesOf('tcp/22,udp/53', ['198.51.100.7', '2001:db8::7'])
    assert.deepEqual(messages, ['198.51.100.7,tcp/22,udp/53', '2001:db8::7,tcp/22,udp/53'])
  })

  it('is one packet for each port of a ghost service, and of NAT', async () => {
    for (const nat of ['natlocal=Y', 'nat=10.0.0.5']) {
      const messages = await messagesOf(`tcp/22,tcp/80&${nat}`, ['198.51.100.7'])
      assert.deepEqual(messages, ['198.51.100.7,tcp/22', '198.51.100.7,tcp/80'])
    }
  })

  it('has an HMAC of each type, and none in mode legacy', async () => {
    const sealed = async (...more: readonly (readonly [string, string])[]) => {
      const settings = settingsOf(
        [['ACCESS', 'tcp/22'], ['KEY_BASE64', KEY], ...more].map(([name = '', value = '']) => ({
          name: name as 'KEY',
          value,
        })),
      )
      assert.ok(settings.ok)
      const keys = keysOf(settings.value, undefined)
      const requests = requestsFor(settings.value, { source: ip('198.51.100.7'), random: 0 })
      assert.ok(keys.ok && requests.ok)
      const { encryption, hmac } = keys.value
      const packets = await sealRequests(requests.value, { settings: settings.value, keys: keys.value }, world)
      assert.ok(packets.ok && 'key' in encryption, JSON.stringify(packets))
      return messageIn(packets.value[0] ?? '', { encryption, ...(hmac !== undefined && { hmac }) })
    }
    for (const type of DIGEST_TYPES)
      assert.equal(await sealed(['HMAC_KEY_BASE64', HMAC], ['HMAC_DIGEST_TYPE', type]), '198.51.100.7,tcp/22', type)
    assert.equal(await sealed(['KEY', 'sixteen byte key'], ['ENCRYPTION_MODE', 'legacy']), '198.51.100.7,tcp/22')
  })

  it('differs each time', async () => {
    const [settings, count] = [
      settingsOf([
        { name: 'KEY_BASE64', value: KEY },
        { name: 'ACCESS', value: 'tcp/22' },
      ]),
      { n: 0 },
    ]
    assert.ok(settings.ok)
    const keys = keysOf(settings.value, undefined)
    const requests = requestsFor(settings.value, { source: ip('198.51.100.7'), random: 0 })
    assert.ok(keys.ok && requests.ok)
    const randomBytes = (length: number) => new Uint8Array(length).fill(count.n++)
    const seal = () =>
      sealRequests(requests.value, { settings: settings.value, keys: keys.value }, { ...world, randomBytes })
    assert.notDeepEqual(await seal(), await seal())
  })

  it('is refused without a key, and with an HMAC key in mode legacy', () => {
    const of = (...texts: readonly (readonly [string, string])[]) => {
      const settings = settingsOf(texts.map(([name, value]) => ({ name: name as 'KEY', value })))
      assert.ok(settings.ok)
      const keys = keysOf(settings.value, undefined)
      return keys.ok ? 'ok' : keys.failure.code
    }
    assert.equal(of(['ACCESS', 'tcp/22']), 'KEY_MISSING')
    assert.equal(of(['KEY', 'a'], ['HMAC_KEY', 'b'], ['ENCRYPTION_MODE', 'legacy']), 'CONFIG_CONFLICT')
    assert.equal(of(['KEY', 'a'], ['ENCRYPTION_MODE', 'legacy']), 'ok')
  })

  it('is told before: ports, NAT, time, and no key', () => {
    const settings = settingsOf([
      { name: 'SPA_SERVER', value: 'host.example' },
      { name: 'ACCESS', value: 'tcp/8443' },
      { name: 'NAT_ACCESS', value: '10.0.0.5:443' },
      { name: 'FW_TIMEOUT', value: '60' },
      { name: 'KEY_BASE64', value: KEY },
    ])
    assert.ok(settings.ok)
    const text = JSON.stringify(factsOf(settings.value))
    for (const said of ['host.example', 'tcp/8443', '10.0.0.5:443', '60 seconds']) assert.ok(text.includes(said), said)
    assert.ok(!text.includes(KEY))
    assert.equal(summary(settings.value), 'tcp/8443 at host.example')
    const requests = requestsFor(settings.value, { source: ip('198.51.100.7'), random: 0 })
    assert.deepEqual(requests.ok && linksFor('host.example', requests.value), ['https://host.example:8443/'])
  })
})

describe('the first header of a GnuPG message', () => {
  const made = (...head: readonly number[]) => [...(withOldHeader(Uint8Array.from([...head, 1, 2, 3])) ?? [])]
  it('is written as fwknop’s format needs it, for each form of a length', () => {
    assert.deepEqual(made(0xc1, 0x5e), [0x85, 0, 0x5e, 1, 2, 3])
    assert.deepEqual(made(0xc1, 0xc0, 0x4c), [0x85, 1, 0x0c, 1, 2, 3])
    assert.deepEqual(made(0x85, 1, 0x0c), [0x85, 1, 0x0c, 1, 2, 3])
  })
  it('is refused for all else', () => {
    for (const head of [[0xc1, 0xff], [0xc1, 0xe0], [0xd2, 0x10], []]) assert.deepEqual(made(...head), [])
  })
})

describe('the address', () => {
  const echo = (from: string, address: string): Echo => ({ from, address: ip(address) })

  it('is confirmed by two hosts that agree, and by no others', () => {
    const judged = (...echoes: readonly Echo[]) => judgeEchoes(echoes).map((it) => [it.address, isConfirmed(it)])
    assert.deepEqual(judged(echo('https://a', '198.51.100.7'), echo('https://b', '198.51.100.7')), [
      ['198.51.100.7', true],
    ])
    assert.deepEqual(judged(echo('https://a', '198.51.100.7')), [['198.51.100.7', false]])
    // One host under two paths is one voice.
    assert.deepEqual(judged(echo('https://a/x', '198.51.100.7'), echo('https://a/y', '198.51.100.7')), [
      ['198.51.100.7', false],
    ])
    assert.deepEqual(
      judged(echo('https://a', '198.51.100.7'), echo('https://b', '198.51.100.7'), echo('https://c', '203.0.113.66')),
      [['198.51.100.7', false]],
    )
    assert.deepEqual(judged(echo('https://a', '198.51.100.7'), echo('https://a', '2001:db8::7')), [
      ['198.51.100.7', false],
      ['2001:db8::7', false],
    ])
  })

  it('of a known relay is one that looks like it', () => {
    for (const address of ['104.28.12.34', '172.225.1.1', '146.75.9.9', '2a02:26f7::1', '2a09:bac2:1::1'])
      assert.match(relayOf(ip(address)) ?? '', /Relay/)
    for (const address of ['198.51.100.7', '104.16.0.1', '172.16.0.1', '2001:db8::1'])
      assert.equal(relayOf(ip(address)), undefined)
  })
})

describe('the clock', () => {
  const off = (...ahead: readonly (number | undefined)[]) => skewOf(ahead)
  it('is judged by the median of those that tell', () => {
    assert.equal(off(undefined), undefined)
    assert.deepEqual(off(3), { seconds: 3, kind: 'right' })
    assert.deepEqual(off(15, undefined), { seconds: 15, kind: 'off' })
    assert.deepEqual(off(-300), { seconds: -300, kind: 'too far' })
    assert.deepEqual(off(0, 1, 9000), { seconds: 1, kind: 'right' })
  })
})

describe('addresses that are typed', () => {
  it('of gateways: https, or this computer', () => {
    const read = (text: string) => {
      const url = parseGatewayUrl(text)
      return url.ok ? url.value : url.failure.code
    }
    assert.equal(read(' knock.example '), 'https://knock.example')
    assert.equal(read('https://knock.example:8443/'), 'https://knock.example:8443')
    assert.equal(read('http://localhost:8080'), 'http://localhost:8080')
    for (const text of [
      'http://knock.example',
      'javascript:alert(1)',
      'https://u:p@a',
      'https://a?x',
      'ftp://a',
      '',
      'a,b',
    ])
      assert.equal(read(text), 'CONFIG_INVALID_VALUE', text)
  })

  it('to go on with: never a script, never a password', () => {
    assert.equal(parseLink('ssh://me@host').ok, true)
    for (const text of ['javascript:alert(1)', 'data:text/html,x', 'https://u:p@a', 'file:///etc/passwd', 'x'])
      assert.equal(parseLink(text).ok, false, text)
  })
})

describe('a kept profile', () => {
  const good = {
    id: 'a1',
    name: 'office',
    settings: [{ name: 'KEY_BASE64', value: KEY }],
    made: 5,
    gateways: ['https://a'],
    target: 'office',
    links: ['ssh://host'],
    echoes: [],
  }
  it('comes back as it was written', () => assert.deepEqual(readKept(JSON.stringify(good)), good))
  for (const [what, change] of [
    ['a setting that is none', { settings: [{ name: 'SHELL', value: 'x' }] }],
    ['a value that its setting does not take', { settings: [{ name: 'ACCESS', value: 'tcp/0' }] }],
    ['a link that runs something', { links: ['javascript:alert(1)'] }],
    ['a gateway by plain http', { gateways: ['http://a'] }],
    ['a target in other letters', { target: '../x' }],
    ['a time that is none', { made: '5' }],
    ['an id with other signs', { id: '<b>' }],
  ] as const)
    it(`is refused with ${what}`, () => assert.equal(asKept({ ...good, ...change }), undefined))
})

describe('the policy of the page', () => {
  it('is the same in the page and in the header of a gateway', () => {
    const parts = (policy: string) => policy.split('; ').sort()
    assert.deepEqual(parts(contentPolicy(pagePermissions)), parts(pagePolicy('header')))
  })
  it('in the page lacks only what counts in a header alone', () => {
    assert.equal(`${pagePolicy('meta')}; frame-ancestors 'none'`, pagePolicy('header'))
  })
})
