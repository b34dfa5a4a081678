import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filesFromSnapshot } from '../reading/config-files.ts'
import { parseFwknopdConf } from '../server/parse-fwknopd-conf.ts'
import { buildPolicy } from './build-policy.ts'
import { parseAccessConf } from './parse-access-conf.ts'

function build(fwknopdConf: string, stanza: string, source = 'ANY') {
  const server = parseFwknopdConf('/fwknopd.conf', fwknopdConf)
  const texts = { '/access.conf': `SOURCE ${source}\nKEY a\nHMAC_KEY b\n${stanza}\n` }
  const access = parseAccessConf('/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
  assert(server.ok && access.ok)
  return buildPolicy(server.value.config, access.value.stanzas)
}

const at = { file: '/access.conf', line: 1 }
const FORWARD = 'ENABLE_IPT_FORWARDING Y;'
const LOCAL = 'ENABLE_IPT_LOCAL_NAT Y;'

const noticed: [conf: string, stanza: string, notice: RegExp | undefined][] = [
  ['', '', undefined],
  [FORWARD, '', /a holder of the key can reach any inner host/],
  [LOCAL, '', /a holder of the key can reach any inner host/],
  [LOCAL, 'NAT_TARGETS local:22', undefined],
  [FORWARD, 'FORCE_NAT 10.0.0.5 22', undefined],
  [LOCAL, 'FORCE_NAT 10.0.0.5 22', undefined],
  [FORWARD, 'FORCE_NAT 127.0.0.1 22', undefined],
  ['', 'NAT_TARGETS local:22', /NAT_TARGETS has no effect/],
  ['CAPTURE udp;', 'DESTINATION 10.0.0.1', /DESTINATION matches nothing/],
  ['CAPTURE packet;', 'DESTINATION 10.0.0.1', undefined],
]
for (const [conf, stanza, notice] of noticed) {
  test(`${conf || 'the defaults'} and ${stanza || 'no more'}: ${notice?.source ?? 'nothing to notice'}`, () => {
    const built = build(conf, stanza)
    assert(built.ok)
    assert.equal(built.value.notices.length, notice === undefined ? 0 : 1)
    const [first] = built.value.notices
    if (notice !== undefined) assert.match(first?.text ?? '', notice)
    if (first !== undefined) assert.deepEqual(first.at, at)
  })
}

for (const [source, count] of [
  ['fe80::/10, 169.254.7.0/24', 1],
  ['fe80::/10, 10.0.0.1', 0],
  ['fe80::/9', 0],
] as const)
  test(`SOURCE ${source}: ${count === 0 ? 'nothing to notice' : 'no grant can be for such an address'}`, () => {
    const built = build('', '', source)
    assert(built.ok)
    assert.equal(built.value.notices.filter(({ text }) => /SOURCE is link-local/.test(text)).length, count)
  })

const contradictions: [conf: string, stanza: string, suggestion: string][] = [
  ['', 'FORCE_NAT 10.0.0.5 22', FORWARD],
  [LOCAL, 'FORWARD_ALL Y', FORWARD],
  ['', 'FORCE_NAT ::1 22', LOCAL],
  ['', 'FORCE_NAT 127.0.0.1 22', LOCAL],
]
for (const [conf, stanza, suggestion] of contradictions) {
  test(`${stanza} with ${conf || 'no NAT'} is refused`, () => {
    const built = build(conf, stanza)
    assert(!built.ok)
    assert.deepEqual(
      [built.failure.code, built.failure.at, built.failure.suggestion],
      ['CONFIG_CONFLICT', at, suggestion],
    )
  })
}

test('the policy is both files', () => {
  const built = build('MAX_SPA_PACKET_AGE 30;', 'OPEN_PORTS tcp/22')
  assert(built.ok)
  assert.equal(built.value.policy.maxAge, 30)
  assert.deepEqual(built.value.policy.stanzas[0]?.openPorts, [{ protocol: 'tcp', port: 22 }])
})

const ID = 'A14C06CA9F7CD4E39178009CDCBF0FD82C9031C7'
for (const [first, second, isTold] of [
  ['', '', false],
  [`GPG_DECRYPT_ID ${ID}`, `GPG_DECRYPT_ID ${ID}`, false],
  [`GPG_DECRYPT_ID ${ID}`, '', false],
  ['', `GPG_DECRYPT_ID ${ID}`, false],
  ['', 'GPG_EXE /opt/gpg', true],
  ['', 'GPG_DECRYPT_PW sesame', true],
  [`GPG_DECRYPT_ID ${ID}`, `GPG_DECRYPT_ID 2C9031C7\nGPG_EXE /opt/gpg`, true],
  [`GPG_DECRYPT_ID ${ID}`, 'GPG_DECRYPT_ID 1FDDCD755FDA721D\nGPG_EXE /opt/gpg', false],
  ['', 'GPG_EXE /opt/gpg\nHMAC_KEY other', false],
  ['', 'GPG_EXE /opt/gpg\nGPG_HOME_DIR /elsewhere', false],
] as const)
  test(`GnuPG stanzas with ${first || 'no more'} and ${second || 'no more'}: ${isTold ? 'told' : 'nothing to notice'}`, () => {
    const stanza = (more: string) =>
      `SOURCE ANY\nGPG_ALLOW_NO_PW Y\nGPG_FINGERPRINT_ID ${ID}\n${more}\n${/HMAC/.test(more) ? '' : 'HMAC_KEY b\n'}`
    const texts = { '/access.conf': stanza(first) + stanza(second) }
    const server = parseFwknopdConf('/fwknopd.conf', '')
    const access = parseAccessConf('/access.conf', filesFromSnapshot({ texts, folders: {}, failures: {} }))
    assert(server.ok && access.ok)
    const built = buildPolicy(server.value.config, access.value.stanzas)
    assert(built.ok)
    const told = built.value.notices.filter(({ text }) => /^stanza 2: an earlier stanza with the same/.test(text))
    assert.equal(told.length, isTold ? 1 : 0)
  })
