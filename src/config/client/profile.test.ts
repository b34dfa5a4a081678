import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { unixSeconds } from '../../units.ts'
import { formatProfile, type Profile, parseProfile, profileStanza } from './profile.ts'

const KEY = 'W1gv3bQSdUligEXNWjldfFnc8E8jxIh7sk8J3YAoaQ0='
const HMAC = 'kXTd59kZY8WgP5c0gUHbDjyb7sjVz6MGXDeV/7+PIYv1G5mRRa0YC6AkFRag5F4Up6sZ5yDucC8jhwwuNVi04Q=='
const profile: Profile = {
  name: 'office',
  settings: [
    { name: 'SPA_SERVER', value: '2001:db8::1' },
    { name: 'SPA_SERVER_PORT', value: '53' },
    { name: 'ALLOW_IP', value: 'source' },
    { name: 'ACCESS', value: 'tcp/22,udp/53' },
    { name: 'NAT_ACCESS', value: '[fd00::5]:22' },
    { name: 'KEY_BASE64', value: KEY },
    { name: 'HMAC_KEY_BASE64', value: HMAC },
    { name: 'HMAC_DIGEST_TYPE', value: 'sha512' },
  ],
  made: unixSeconds(1_764_150_000),
  until: unixSeconds(1_800_000_000),
}
const text = formatProfile(profile)

describe('the profile of a client', () => {
  it('is one line, and means the same when it is read', () => {
    assert.match(text, /^ghostport:\/\/profile\/1\?[\x21-\x7e]+$/)
    assert.deepEqual(parseProfile(text), { ok: true, value: profile })
    assert.deepEqual(parseProfile(`  ${text}\r\n`), { ok: true, value: profile })
  })

  it('is a stanza of the rc file', () => {
    assert.match(profileStanza(profile), /^\[office\]\nSPA_SERVER {10}2001:db8::1\n/)
  })

  const without = (field: string): string =>
    text.replace(new RegExp(`[?&]${field}=[^&]*`), (it) => (it[0] === '?' ? '?x=' : ''))
  for (const [what, wrong, pattern] of [
    ['nothing', '', /does not begin with ghostport:\/\//],
    ['another scheme', 'https://x', /does not begin with/],
    ['a later version', text.replace('/1?', '/2?'), /another version/],
    ['too long', `${text}${'x'.repeat(2000)}`, /at most 2000/],
    [
      'cut in the middle of a key',
      text.slice(0, text.indexOf('&hmac=')).slice(0, -60),
      /“key” is missing|the key cannot be used/,
    ],
    ['an unknown field', `${text}&colour=red`, /“colour” is not known/],
    ['a misspelt field', text.replace('&open=', '&opn='), /“opn” is not known/],
    ['a field twice', `${text}&port=22`, /“port” is there twice/],
    ['no key', without('key'), /“key” is missing/],
    ['no server', without('server'), /“server” is missing/],
    ['a bad port', text.replace('port=53', 'port=70000'), /“port”/],
    ['a bad key', text.replace(/key=[^&]*/, 'key=%21%21%21%21'), /“key”: the key cannot be used/],
    ['a bad digest', text.replace('sha512', 'sha9'), /“digest”/],
    [
      'the same keys',
      text.replace(/hmac=[^&]*/, (/key=([^&]*)/.exec(text)?.[0] ?? '').replace('key', 'hmac')),
      /both keys are the same/,
    ],
    ['a line end in a value', text.replace('name=office', 'name=off%0Aice'), /“name”/],
    ['a comment in a value', text.replace('server=2001:db8::1', 'server=a%23b'), /blank, “;” or “#”/],
    ['a bad escape', text.replace('name=office', 'name=%ff'), /no readable value/],
    ['the name default', text.replace('name=office', 'name=Default'), /“name”/],
    ['a blank inside', text.replace('&', ' &'), /copied as one line/],
    ['a time', text.replace(/made=[0-9]+/, 'made=soon'), /“made”/],
  ] as const)
    it(`${what} is refused`, () => {
      const read = parseProfile(wrong)
      assert.ok(!read.ok, what)
      assert.equal(read.failure.code, 'PROFILE_INVALID')
      assert.match(read.failure.detail, pattern)
      assert.doesNotMatch(`${read.failure.detail}${read.failure.suggestion ?? ''}`, /W1gv3bQS|kXTd59k/)
    })

  it('no text makes the parser throw, and what it takes is the same when written and read again', () => {
    const near = fc
      .tuple(fc.nat(text.length), fc.string({ unit: 'binary', maxLength: 5 }), fc.nat(20))
      .map(([at, piece, cut]) => text.slice(0, at) + piece + text.slice(at + cut))
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (written) => {
        const read = parseProfile(written)
        if (read.ok) assert.deepEqual(parseProfile(formatProfile(read.value)), read)
      }),
      { numRuns: 2000 },
    )
  })
})
