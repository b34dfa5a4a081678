import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { unixSeconds } from '../../units.ts'
import {
  type FleetProfile,
  fleetStanzas,
  fleetText,
  formatFleetProfile,
  isFleetProfile,
  nodeProfiles,
  parseFleetProfile,
} from './fleet-profile.ts'
import { parseFwknoprc } from './parse-fwknoprc.ts'
import { formatProfile, parseProfile } from './profile.ts'

const SECRET = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const LINE =
  `ghostport://fleet/1?name=ada&allow=source&open=tcp/22,udp/53&secret=${SECRET.slice(0, -1)}&made=1764150000` +
  '&until=1800000000&node=web-1,web-1.example.org&node=web-2,2001:db8::2,62202&node=db,192.0.2.3,,db.2'

function profile(text = LINE): FleetProfile {
  const read = parseFleetProfile(text)
  assert.ok(read.ok, JSON.stringify(read))
  return read.value
}

describe('the profile of a fleet', () => {
  it('is one line, and means the same when it is read', () => {
    assert.equal(formatFleetProfile(profile()), LINE)
    assert.deepEqual(profile(` ${LINE}\r\n`), profile())
    const { nodes, made, until, secret } = profile()
    assert.deepEqual([made, until, secret], [unixSeconds(1_764_150_000), 1_800_000_000, SECRET])
    assert.deepEqual(
      nodes.map(({ name, keyName, server, port }) => [name, keyName, server, port]),
      [
        ['web-1', 'web-1', 'web-1.example.org', undefined],
        ['web-2', 'web-2', '2001:db8::2', 62202],
        ['db', 'db.2', '192.0.2.3', undefined],
      ],
    )
  })

  it('is stanzas of the rc file: the secret is there once', () => {
    const text = fleetText(profile())
    assert.equal(text.split(SECRET).length, 2)
    assert.match(
      text,
      /^\[ada\]\nFLEET\nNODE_SECRET_BASE64 {2}AAEC.*\nALLOW_IP {12}source\nACCESS {14}tcp\/22,udp\/53\n\n\[web-1\]\nFLEET {15}ada\nNODE {16}web-1\nSPA_SERVER {10}web-1\.example\.org\n/,
    )
    assert.equal(fleetStanzas(profile()).length, 4)
  })

  it('each node is a profile of its own, with the keys that the rc file derives', () => {
    const file = parseFwknoprc('rc', `${fleetText(profile())}\n`)
    assert.ok(file.ok)
    for (const one of nodeProfiles(profile())) {
      const read = parseProfile(formatProfile(one))
      assert.ok(read.ok, JSON.stringify(read))
      const sorted = (settings: readonly { name: string; value: string }[]) =>
        settings.map(({ name, value }) => `${name} ${value}`).sort()
      assert.deepEqual(sorted(file.value.texts(one.name)), sorted(one.settings))
      assert.ok(file.value.settings(one.name).ok)
      assert.ok(!formatProfile(one).includes(SECRET.slice(0, 20)))
    }
  })

  it('through a gateway, each node has its own name there', () => {
    const [, first, second] = fleetStanzas(profile(LINE.replace('&open', '&gateway=https://gate.example&open')))
    assert.deepEqual(first?.settings.at(-1), { name: 'GATEWAY_TARGET', value: 'web-1' })
    assert.deepEqual(second?.settings.at(-1), { name: 'GATEWAY_TARGET', value: 'web-2' })
  })

  it('a reader that takes one server says what it is', () => {
    assert.ok(isFleetProfile(LINE) && !isFleetProfile('ghostport://profile/1?'))
    const read = parseProfile(LINE)
    assert.ok(!read.ok && /does not begin with ghostport:\/\/profile\/1\?/.test(read.failure.detail))
  })

  for (const [what, text, says, suggestion] of [
    ['nothing', '', /does not begin with ghostport:\/\//],
    ['another profile', 'ghostport://profile/1?name=x', /does not begin with ghostport:\/\/fleet\/1\?/],
    ['a later version', LINE.replace('/1?', '/2?'), /another version/],
    ['no node', LINE.replace(/&node=.*/, ''), /“node” is missing/],
    ['no secret', LINE.replace(/&secret=[^&]*/, ''), /“secret” is missing/],
    ['no name', LINE.replace('name=ada&', ''), /“name” is missing/],
    ['a cut secret', LINE.replace(SECRET.slice(10, -1), ''), /the secret cannot be used/],
    ['two secrets', LINE.replace('&made', `&secret=${SECRET.slice(0, -1)}&made`), /“secret” is there twice/],
    ['a key', `${LINE}&key=abcd`, /the field “key” is not known/],
    ['one server', `${LINE}&server=h`, /the field “server” is not known/],
    ['a misspelt field', LINE.replace('&node=', '&nod='), /“nod” is not known/, 'node'],
    ['a node twice', `${LINE}&node=web-1,h`, /the name web-1 is there twice/],
    ['a key name twice', `${LINE}&node=x,h,,db.2`, /the key name db\.2 is there twice/],
    ['a node with the name of the fleet', `${LINE}&node=ada,h`, /the name ada is there twice/],
    ['a name in capitals', `${LINE}&node=Web-9,h`, /a name of a node/, 'web-9'],
    ['a node without a server', `${LINE}&node=x`, /x has no name or address/],
    ['a server with a blank', `${LINE}&node=x,a%20b`, /x has no name or address/],
    ['a line end in a server', `${LINE}&node=x,a%0ANODE`, /x has no name or address/],
    ['a port that is none', `${LINE}&node=x,h,70000`, /x: port 70000/],
    ['a key name that is none', `${LINE}&node=x,h,,X`, /x: a name of a node/],
    ['too many parts', `${LINE}&node=x,h,,y,z`, /x has too many parts/],
    ['a stanza in the name', LINE.replace('name=ada', 'name=a%5D%0A%5Bb'), /cannot be the name of a stanza/],
    ['too many nodes', `${LINE}${Array.from({ length: 500 }, (_, i) => `&node=n${i},h`).join('')}`, /503 nodes/],
    ['too long', `${LINE}&node=${'x'.repeat(100_000)}`, /has at most 100000/],
  ] as const)
    it(`refuses ${what}`, () => {
      const read = parseFleetProfile(text)
      assert.ok(!read.ok)
      assert.match(read.failure.detail, says)
      assert.equal(read.failure.suggestion, suggestion)
      assert.ok(!JSON.stringify(read.failure).includes(SECRET.slice(0, 12)))
    })
})
