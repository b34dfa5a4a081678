import assert from 'node:assert/strict'
import { test } from 'node:test'
import { symmetricKeys } from '../../../test/support/symmetric-keys.ts'
import { encodeBase64 } from '../../bytes/base64.ts'
import { exposeKey } from '../../packet/key.ts'
import { type ConfigFiles, filesFromSnapshot } from '../reading/config-files.ts'
import { parseAccessConf } from './parse-access-conf.ts'

const FILE = '/etc/fwknop/access.conf'
const KEYS = 'KEY hello12\nHMAC_KEY abc'

function files(texts: Record<string, string>, folders: Record<string, string[]> = {}): ConfigFiles {
  return filesFromSnapshot({ texts, folders, failures: {} })
}

function parse(text: string, more: Record<string, string> = {}, folders: Record<string, string[]> = {}) {
  const parsed = parseAccessConf(FILE, files({ [FILE]: text, ...more }, folders))
  assert(parsed.ok, parsed.ok ? '' : `${parsed.failure.code} ${parsed.failure.detail}`)
  return parsed.value
}

function refusal(text: string, more: Record<string, string> = {}, folders: Record<string, string[]> = {}) {
  const parsed = parseAccessConf(FILE, files({ [FILE]: text, ...more }, folders))
  assert(!parsed.ok, 'it was accepted')
  return parsed.failure
}

test('the least that a stanza can be', () => {
  const { stanzas, notices } = parse(`SOURCE ANY\n${KEYS}\n`)
  assert.equal(stanzas.length, 1)
  const [stanza] = stanzas
  assert(stanza !== undefined)
  const { encryption, hmac, ...rest } = stanza
  assert.deepEqual(rest, {
    id: 1,
    location: { file: FILE, line: 1 },
    sources: 'any',
    destinations: 'any',
    restrictPorts: [],
    timeout: 30,
    maxTimeout: 300,
    requireSourceAddress: false,
    requirePacketSource: false,
  })
  assert(encryption.kind === 'symmetric')
  assert.equal(encryption.mode, 'CBC')
  assert.equal(hmac?.type, 'sha256')
  assert.equal(Buffer.from(exposeKey(encryption.key)).toString(), 'hello12')
  assert.equal(Buffer.from(exposeKey(hmac.key)).toString(), 'abc')
  assert.deepEqual(notices, [])
})

test('everything that a stanza can say, in fwknop’s spellings', () => {
  const { stanzas, notices } = parse(`
SOURCE: 10.0.0.0/8, 192.168.1.0/255.255.255.0, 2001:db8::/32, 198.51.100.7;
DESTINATION              203.0.113.1
NAME                     alice@phone-2
OPEN_PORTS               TCP/22, udp/53
RESTRICT_PORTS           Tcp/3306
KEY_BASE64               aGVsbG8xMg==
HMAC_KEY_BASE64:         YWJj
HMAC_DIGEST_TYPE         SHA512
ENCRYPTION_MODE          ctr
FW_ACCESS_TIMEOUT        60
MAX_FW_TIMEOUT           600
REQUIRE_USERNAME         alice
REQUIRE_SOURCE           Y
REQUIRE_PACKET_SOURCE    Y
ACCESS_EXPIRE_EPOCH      1900000000
FORCE_NAT                192.168.1.5 8080
FORCE_SNAT               192.168.1.1
NAT_TARGETS              10.0.0.0/24:22, local:22-23, [2001:db8::]/64:443, 2001:db8:1::/48, ANY:80
ENABLE_CMD_EXEC          N
`)
  const [stanza] = stanzas
  assert(stanza !== undefined)
  const { encryption, hmac, ...rest } = stanza
  assert(encryption.kind === 'symmetric')
  assert.deepEqual([encryption.mode, hmac?.type], ['CTR', 'sha512'])
  assert.deepEqual(rest, {
    id: 1,
    name: 'alice@phone-2',
    location: { file: FILE, line: 2 },
    sources: [
      { prefix: '10.0.0.0', length: 8 },
      { prefix: '192.168.1.0', length: 24 },
      { prefix: '2001:db8::', length: 32 },
      { prefix: '198.51.100.7', length: 32 },
    ],
    destinations: [{ prefix: '203.0.113.1', length: 32 }],
    openPorts: [
      { protocol: 'tcp', port: 22 },
      { protocol: 'udp', port: 53 },
    ],
    restrictPorts: [{ protocol: 'tcp', port: 3306 }],
    timeout: 60,
    maxTimeout: 600,
    requireUsername: 'alice',
    requireSourceAddress: true,
    requirePacketSource: true,
    expires: 1900000000,
    forceNat: { address: '192.168.1.5', port: 8080 },
    forceTranslation: { snat: '192.168.1.1' },
    natTargets: [
      { network: { prefix: '10.0.0.0', length: 24 }, ports: { first: 22, last: 22 } },
      { network: { prefix: '127.0.0.1', length: 32 }, ports: { first: 22, last: 23 } },
      { network: { prefix: '::1', length: 128 }, ports: { first: 22, last: 23 } },
      { network: { prefix: '2001:db8::', length: 64 }, ports: { first: 443, last: 443 } },
      { network: { prefix: '2001:db8:1::', length: 48 }, ports: { first: 1, last: 65535 } },
      { network: { prefix: '0.0.0.0', length: 0 }, ports: { first: 80, last: 80 } },
      { network: { prefix: '::', length: 0 }, ports: { first: 80, last: 80 } },
    ],
  })
  assert.deepEqual(notices, [])
})

test('a day begins at midnight in the zone of the host', () => {
  const zone = process.env['TZ']
  process.env['TZ'] = 'America/New_York'
  try {
    const { stanzas } = parse(`SOURCE ANY\n${KEYS}\nACCESS_EXPIRE 07/04/2030`)
    assert.equal(stanzas[0]?.expires, Date.UTC(2030, 6, 4, 4) / 1000)
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  }
})

/** Each is put into line 5 of a stanza that is right without it. */
const malformed: [line: string, code: string, suggestion?: string][] = [
  ['OPEN_PORTS', 'CONFIG_SYNTAX'],
  ['OPEN_PORTS=tcp/22', 'CONFIG_SYNTAX', 'OPEN_PORTS …'],
  ['OPEN_PORTS = tcp/22', 'CONFIG_SYNTAX', 'OPEN_PORTS …'],
  ['OPEN_PORTS: =tcp/22', 'CONFIG_SYNTAX', 'OPEN_PORTS …'],
  ['KEY_BASE64 = aGVsbG8=', 'CONFIG_SYNTAX', 'KEY_BASE64 …'],
  ['KEY = abc', 'CONFIG_SYNTAX', 'KEY …'],
  ['OPEN_PORTS tcp/22; udp/53', 'CONFIG_SYNTAX'],
  ['open ports', 'CONFIG_UNKNOWN_KEY', 'OPEN_PORTS'],
  ['OPEN_PORT tcp/22', 'CONFIG_UNKNOWN_KEY', 'OPEN_PORTS'],
  ['OPNE_PORTS tcp/22', 'CONFIG_UNKNOWN_KEY', 'OPEN_PORTS'],
  ['HMAC_DIGEST sha256', 'CONFIG_UNKNOWN_KEY', 'HMAC_DIGEST_TYPE'],
  ['REQUIRE_USER alice', 'CONFIG_UNKNOWN_KEY', 'REQUIRE_USERNAME'],
  ['NAT_TARGET 10.0.0.1', 'CONFIG_UNKNOWN_KEY', 'NAT_TARGETS'],
  ['DATA_COLLECT_MODE PCAP', 'CONFIG_UNKNOWN_KEY'],
  ['constructor 1', 'CONFIG_UNKNOWN_KEY'],
  ['PCAP_INTF eth0', 'CONFIG_UNKNOWN_KEY'],
  ['%includes other.conf', 'CONFIG_UNKNOWN_KEY', '%include'],
  ['%include', 'CONFIG_SYNTAX'],
  ['%include missing.conf', 'CONFIG_UNREADABLE'],
  ['%include_folder missing', 'CONFIG_UNREADABLE'],
  ['DESTINATION 10.0.0.256', 'CONFIG_INVALID_VALUE'],
  ['DESTINATION 10.0.0.0/33', 'CONFIG_INVALID_VALUE'],
  ['DESTINATION 10.0.0.0/255.0.255.0', 'CONFIG_INVALID_VALUE'],
  ['DESTINATION 2001:db8::/129', 'CONFIG_INVALID_VALUE'],
  ['DESTINATION example.org', 'CONFIG_INVALID_VALUE'],
  ['DESTINATION AYN', 'CONFIG_INVALID_VALUE', 'ANY'],
  ['DESTINATION 10.0.0.1,,10.0.0.2', 'CONFIG_INVALID_VALUE'],
  ['DESTINATION 010.0.0.1', 'CONFIG_INVALID_VALUE'],
  ['OPEN_PORTS 22', 'CONFIG_INVALID_VALUE', 'tcp/22'],
  ['OPEN_PORTS tcp/22 udp/53', 'CONFIG_INVALID_VALUE', 'tcp/22, udp/53'],
  ['OPEN_PORTS tcp/any', 'CONFIG_INVALID_VALUE', 'leave OPEN_PORTS out, which allows every port'],
  ['OPEN_PORTS 22-23', 'CONFIG_INVALID_VALUE', 'tcp/22,tcp/23'],
  ['DESTINATION 10.0.0.1 10.0.0.2', 'CONFIG_INVALID_VALUE', '10.0.0.1, 10.0.0.2'],
  ['OPEN_PORTS tcp:22', 'CONFIG_INVALID_VALUE', 'tcp/22'],
  ['OPEN_PORTS 22/tcp', 'CONFIG_INVALID_VALUE', 'tcp/22'],
  ['OPEN_PORTS UDP 53', 'CONFIG_INVALID_VALUE', 'udp/53'],
  ['OPEN_PORTS tcp / 22', 'CONFIG_INVALID_VALUE', 'tcp/22'],
  ['OPEN_PORTS tcp/1-65535', 'CONFIG_INVALID_VALUE', 'leave OPEN_PORTS out, which allows every port'],
  ['OPEN_PORTS UDP/60000-60003', 'CONFIG_INVALID_VALUE', 'udp/60000,udp/60001,udp/60002,udp/60003'],
  ['OPEN_PORTS tcp/9-8', 'CONFIG_INVALID_VALUE', 'leave OPEN_PORTS out, which allows every port'],
  ['RESTRICT_PORTS tcp/1-1024', 'CONFIG_INVALID_VALUE', 'OPEN_PORTS with the ports that are allowed'],
  ['OPEN_PORTS tcp/0', 'CONFIG_INVALID_VALUE'],
  ['OPEN_PORTS tcp/65536', 'CONFIG_INVALID_VALUE'],
  ['OPEN_PORTS tcp/22,', 'CONFIG_INVALID_VALUE'],
  ['OPEN_PORTS tcp/22 # ssh', 'CONFIG_INVALID_VALUE'],
  ['OPEN_PORTS icmp/8', 'CONFIG_INVALID_VALUE'],
  ['RESTRICT_PORTS tcp/ssh', 'CONFIG_INVALID_VALUE'],
  ['KEY other', 'CONFIG_CONFLICT'],
  ['KEY_BASE64 aGVsbG8=', 'CONFIG_CONFLICT'],
  ['HMAC_KEY_BASE64 aGVsbG8=', 'CONFIG_CONFLICT'],
  ['HMAC_DIGEST_TYPE sha-256', 'CONFIG_INVALID_VALUE', 'sha256'],
  ['HMAC_DIGEST_TYPE sha3-512', 'CONFIG_INVALID_VALUE', 'sha3_512'],
  ['HMAC_DIGEST_TYPE crc32', 'CONFIG_INVALID_VALUE'],
  ['ENCRYPTION_MODE CCB', 'CONFIG_INVALID_VALUE', 'CBC'],
  ['ENCRYPTION_MODE PCBC', 'CONFIG_INVALID_VALUE', 'CBC'],
  ['ENCRYPTION_MODE Asymmetric', 'CONFIG_MISSING_KEY', 'GPG_ALLOW_NO_PW Y'],
  ['FW_ACCESS_TIMEOUT 0', 'CONFIG_INVALID_VALUE'],
  ['FW_ACCESS_TIMEOUT -1', 'CONFIG_INVALID_VALUE'],
  ['FW_ACCESS_TIMEOUT 30s', 'CONFIG_INVALID_VALUE', '30'],
  ['FW_ACCESS_TIMEOUT 5 min', 'CONFIG_INVALID_VALUE', '300'],
  ['FW_ACCESS_TIMEOUT 9999d', 'CONFIG_INVALID_VALUE'],
  ['MAX_FW_TIMEOUT never', 'CONFIG_INVALID_VALUE'],
  ['REQUIRE_USERNAME al:ice', 'CONFIG_INVALID_VALUE'],
  ['REQUIRE_SOURCE_ADDRESS true', 'CONFIG_INVALID_VALUE', 'Y'],
  ['ACCESS_EXPIRE 31/12/2030', 'CONFIG_INVALID_VALUE', '12/31/2030'],
  ['ACCESS_EXPIRE 13/31/2030', 'CONFIG_INVALID_VALUE'],
  ['ACCESS_EXPIRE 02/30/2030', 'CONFIG_INVALID_VALUE'],
  ['ACCESS_EXPIRE 2030-12-31', 'CONFIG_INVALID_VALUE', '12/31/2030'],
  ['ACCESS_EXPIRE_EPOCH soon', 'CONFIG_INVALID_VALUE'],
  ['ACCESS_EXPIRE_EPOCH 12/31/2030', 'CONFIG_INVALID_VALUE', 'ACCESS_EXPIRE 12/31/2030'],
  ['FORCE_NAT 192.168.1.5', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT 192.168.1.5:22', 'CONFIG_INVALID_VALUE', '192.168.1.5 22'],
  ['FORCE_NAT [2001:db8::5]:22', 'CONFIG_INVALID_VALUE', '2001:db8::5 22'],
  ['FORCE_NAT 192.168.1.5 22 tcp', 'CONFIG_INVALID_VALUE', '192.168.1.5 22'],
  ['FORCE_NAT 192.168.1.5 tcp/22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT 192.168.1.5 0', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT 192.168.1.5 65536', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT 0.0.0.0 22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT 224.0.0.1 22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT ff02::1 22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT inner.example 22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_SNAT 10.0.0.1', 'CONFIG_CONFLICT', 'FORCE_NAT ADDRESS PORT'],
  ['FORCE_MASQUERADE Y', 'CONFIG_CONFLICT', 'FORCE_NAT ADDRESS PORT'],
  ['FORWARD_ALL always', 'CONFIG_INVALID_VALUE'],
  ['FORWARD_ALL Y\nCMD_CYCLE_OPEN /bin/true\nCMD_CYCLE_CLOSE NONE', 'CONFIG_CONFLICT', 'a stanza for each'],
  ['DISABLE_DNAT 1', 'CONFIG_INVALID_VALUE', 'Y'],
  ['NAT_TARGETS nowhere', 'CONFIG_INVALID_VALUE'],
  ['NAT_TARGETS 169.254.169.254:80', 'CONFIG_INVALID_VALUE'],
  ['NAT_TARGETS 10.0.0.1:22, [fe80::]/10:22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT fe80::1 22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_NAT 169.254.7.7 22', 'CONFIG_INVALID_VALUE'],
  ['FORCE_SNAT 169.254.7.7', 'CONFIG_INVALID_VALUE'],
  ['FORCE_SNAT 0.0.0.0', 'CONFIG_INVALID_VALUE'],
  ['NAT_TARGETS locl:22', 'CONFIG_INVALID_VALUE', 'local'],
  ['NAT_TARGETS 10.0.0.1:0', 'CONFIG_INVALID_VALUE'],
  ['NAT_TARGETS 10.0.0.1:', 'CONFIG_INVALID_VALUE'],
  ['NAT_TARGETS 10.0.0.1:90-80', 'CONFIG_INVALID_VALUE', '80-90'],
  ['NAT_TARGETS [10.0.0.1', 'CONFIG_INVALID_VALUE'],
  ['NAT_TARGETS [2001:db8::1]22', 'CONFIG_INVALID_VALUE'],
]
for (const [line, code, suggestion] of malformed) {
  test(`“${line}” is refused: ${code}`, () => {
    const failure = refusal(`# who may\nSOURCE ANY\n${KEYS}\n${line}\n\n`)
    assert.equal(failure.code, code, failure.detail)
    assert.deepEqual(failure.at, { file: FILE, line: 5 })
    assert.equal(failure.suggestion, suggestion)
  })
}

test('the half of the client is told from a mistake', () => {
  for (const [text, line, detail] of [
    [`SOURCE ANY\n${KEYS}\nALLOW_IP source`, 4, /^ALLOW_IP belongs in ~\/\.fwknoprc/],
    [`SPA_SERVER 192.0.2.10\nSOURCE ANY\n${KEYS}`, 1, /^SPA_SERVER belongs in ~\/\.fwknoprc/],
    [`[myserver]\nSPA_SERVER 192.0.2.10`, 1, /begins a stanza of ~\/\.fwknoprc/],
  ] as const) {
    const failure = refusal(text)
    assert.match(failure.detail, detail)
    assert.equal(failure.at?.line, line)
  }
})

test('an include that cannot be read: why, and no path that may be a key', () => {
  assert.match(refusal(`%include /abcDEF123`).detail, /^what %include names .*(no such|not among)/)
  assert.doesNotMatch(refusal(`%include /abcDEF123`).detail, /abcDEF123/)
})

/** Stanzas that are wrong as a whole: the line that is named, and what for. */
const wrongStanzas: [what: string, text: string, code: string, line: number][] = [
  ['an empty file', '', 'CONFIG_MISSING_KEY', 1],
  ['comments only', '# SOURCE ANY\n', 'CONFIG_MISSING_KEY', 1],
  ['a line before the first SOURCE', `OPEN_PORTS tcp/22\nSOURCE ANY\n${KEYS}`, 'CONFIG_SYNTAX', 1],
  ['no key', 'SOURCE ANY\nHMAC_KEY abc\n', 'CONFIG_MISSING_KEY', 1],
  ['no key in the second stanza', `SOURCE ANY\n${KEYS}\nSOURCE 10.0.0.1\n`, 'CONFIG_MISSING_KEY', 4],
  ['an empty source', `SOURCE\n${KEYS}`, 'CONFIG_SYNTAX', 1],
  ['a digest type for no HMAC key', 'SOURCE ANY\nKEY abc\nHMAC_DIGEST_TYPE sha256', 'CONFIG_MISSING_KEY', 3],
  ['one key for both', 'SOURCE ANY\nKEY abc\nHMAC_KEY_BASE64 YWJj', 'CONFIG_CONFLICT', 3],
  ['a key of 33 bytes', `SOURCE ANY\nKEY ${'k'.repeat(33)}`, 'KEY_INVALID', 2],
  ['an HMAC key of 137 bytes', `SOURCE ANY\nKEY k\nHMAC_KEY ${'h'.repeat(137)}`, 'KEY_INVALID', 3],
  ['a placeholder for a key', 'SOURCE ANY\nKEY __CHANGEME__', 'KEY_INVALID', 2],
  ['a placeholder for a base64 key', 'SOURCE ANY\nKEY_BASE64 __CHANGEME__', 'KEY_INVALID', 2],
  ['a placeholder for an HMAC key', 'SOURCE ANY\nKEY a\nHMAC_KEY_BASE64 __CHANGEME__', 'KEY_INVALID', 3],
  ['base64 that is none', 'SOURCE ANY\nKEY_BASE64 a*b', 'KEY_INVALID', 2],
  ['a key that ends in blanks', 'SOURCE ANY\nKEY abc ;', 'CONFIG_SYNTAX', 2],
  ['a key that a semicolon cuts', 'SOURCE ANY\nKEY abc;def', 'CONFIG_SYNTAX', 2],
  [
    'one thing said by two variables',
    `SOURCE ANY\n${KEYS}\nREQUIRE_SOURCE Y\nREQUIRE_SOURCE_ADDRESS Y`,
    'CONFIG_CONFLICT',
    5,
  ],
  ['SNAT between families', `SOURCE ANY\n${KEYS}\nFORCE_NAT 10.0.0.1 22\nFORCE_SNAT ::5`, 'CONFIG_CONFLICT', 5],
  ['an include of keys in no stanza', `%include_keys k\nSOURCE ANY\n${KEYS}`, 'CONFIG_SYNTAX', 1],
]
for (const [what, text, code, line] of wrongStanzas) {
  test(`${what} is refused: ${code}`, () => {
    const failure = refusal(text)
    assert.equal(failure.code, code, failure.detail)
    assert.deepEqual(failure.at, { file: FILE, line })
  })
}

for (const name of ['SOUCE', 'source', 'SOURCES'])
  test(`${name} for the first SOURCE is told from a setting in no stanza`, () => {
    const failure = refusal(`${name} ANY\n${KEYS}`)
    assert.deepEqual([failure.code, failure.suggestion, failure.at?.line], ['CONFIG_UNKNOWN_KEY', 'SOURCE', 1])
  })

test('a raw key may begin with an equals sign', () => {
  const [stanza] = parse('SOURCE ANY\nKEY =abc\nHMAC_KEY ab = c').stanzas
  assert(stanza !== undefined)
  assert.equal(Buffer.from(exposeKey(symmetricKeys(stanza).encryption.key)).toString(), '=abc')
})

test('a long key in the wrong variable is told from one that is too long', () => {
  const base64 = `${encodeBase64(new Uint8Array(32).fill(7))}=`
  assert.equal(refusal(`SOURCE ANY\nKEY ${base64}`).suggestion, 'KEY_BASE64 …')
})

test('no failure tells a key', () => {
  for (const text of [
    'KEY sesame;seed',
    'KEY_BASE64 sesame!',
    `KEY ${'sesame'.repeat(6)}`,
    'KEY=sesame',
    'KEY sesame ',
  ]) {
    const failure = refusal(`SOURCE ANY\n${text}`)
    assert(!JSON.stringify(failure).includes('sesame'), JSON.stringify(failure))
  }
})

const warned: [what: string, text: string, level: 'warning' | 'info', line: number][] = [
  ['no HMAC key', 'SOURCE ANY\nKEY a', 'warning', 1],
  ['no HMAC key and a mode that can be forged', 'SOURCE ANY\nKEY a\nENCRYPTION_MODE CTR', 'warning', 1],
  ['a weak HMAC', `SOURCE ANY\n${KEYS}\nHMAC_DIGEST_TYPE md5`, 'warning', 4],
  ['ECB', `SOURCE ANY\n${KEYS}\nENCRYPTION_MODE ECB`, 'warning', 4],
  ['a lifetime above the maximum', `SOURCE ANY\n${KEYS}\nFW_ACCESS_TIMEOUT 301`, 'warning', 4],
  ['two translations', `SOURCE ANY\n${KEYS}\nFORCE_NAT 10.0.0.1 1\nFORCE_SNAT 10.0.0.2\nFORCE_MASQUERADE Y`, 'info', 6],
]
for (const [what, text, level, line] of warned) {
  test(`${what} is noticed, once for all stanzas`, () => {
    const { notices } = parse(`${text}\n${text}`)
    assert.equal(notices.length, 1)
    assert.deepEqual([notices[0]?.level, notices[0]?.at?.line], [level, line])
    assert.match(notices[0]?.text ?? '', /^stanza 1 and 1 other: /)
  })
}

test('a notice calls a stanza by its name', () => {
  const text = (stanzas: string[]) =>
    parse(stanzas.map((more) => `SOURCE ANY\n${more}KEY a\n`).join('')).notices[0]?.text
  assert.match(text(['NAME alice\n']) ?? '', /^stanza alice: no HMAC key/)
  assert.match(text(['NAME alice\n', '', '']) ?? '', /^stanza alice and 2 others: no HMAC key/)
  assert.match(text(['', 'NAME bob\n']) ?? '', /^stanza 1 and 1 other: no HMAC key/)
})

const wrongNames: [what: string, text: string, line: number, says: RegExp][] = [
  ['a name with a blank', `SOURCE ANY\n${KEYS}\nNAME alice phone`, 4, /^NAME: .* without blanks$/],
  ['a number for a name', `SOURCE ANY\n${KEYS}\nNAME 2`, 4, /at least one letter/],
  [
    'a name that two have',
    `SOURCE ANY\nNAME alice\n${KEYS}\nSOURCE ANY\n${KEYS}\nNAME alice`,
    8,
    /is the same as the one in \/etc\/fwknop\/access\.conf:2:/,
  ],
  [
    'a name that differs in case only',
    `SOURCE ANY\nNAME alice\n${KEYS}\nSOURCE ANY\nNAME Alice\n${KEYS}`,
    6,
    /differs only in case from the one in .*:2:/,
  ],
  [
    'a name before its stanza',
    `NAME alice\nSOURCE ANY\n${KEYS}`,
    1,
    /NAME is in no stanza: a stanza begins with SOURCE/,
  ],
  [
    'a name before the next stanza',
    `SOURCE ANY\nNAME alice\n${KEYS}\nNAME bob\nSOURCE ANY\n${KEYS}`,
    5,
    /line 2.*begins with SOURCE/,
  ],
  ['a name with no value', `SOURCE ANY\nNAME\n${KEYS}`, 2, /NAME has no value/],
]
for (const [what, text, line, says] of wrongNames)
  test(`${what} is refused, with its line`, () => {
    const failure = refusal(text)
    assert.deepEqual(failure.at, { file: FILE, line })
    assert.match(failure.detail, says)
  })

test('a name is one stanza’s in all files together, and a misspelt NAME is told', () => {
  const more = { '/etc/fwknop/a.conf': `SOURCE ANY\nNAME alice\n${KEYS}\n` }
  const failure = refusal(`%include a.conf\nSOURCE ANY\nNAME alice\n${KEYS}`, more)
  assert.deepEqual([failure.at?.line, /a\.conf:2/.test(failure.detail)], [3, true])
  assert.equal(refusal(`SOURCE ANY\nNAM alice\n${KEYS}`).suggestion, 'NAME')
})

test('a stanza that is left out is called by its name, which stays taken', () => {
  const text = (name: string) => `SOURCE ANY\nNAME alice\n%include_keys a.conf\nSOURCE ANY\nNAME ${name}\n${KEYS}`
  const { stanzas, notices } = parse(text('bob'))
  assert.deepEqual(
    stanzas.map(({ id, name }) => [id, name]),
    [[2, 'bob']],
  )
  assert.match(notices[0]?.text ?? '', /^stanza alice is left out: /)
  assert.match(refusal(text('alice')).detail, /the same as the one in/)
})

test('a lifetime above the maximum is cut to it', () => {
  const [stanza] = parse(`SOURCE ANY\n${KEYS}\nMAX_FW_TIMEOUT 10`).stanzas
  assert.equal(stanza?.timeout, 10)
})

test('files include files, and their stanzas are numbered through', () => {
  const { stanzas } = parse(
    `%include a.conf\n%include_folder /etc/fwknop/more\nSOURCE 10.0.0.4\n${KEYS}\n`,
    {
      '/etc/fwknop/a.conf': `SOURCE 10.0.0.1\n${KEYS}\n%include b.conf\n`,
      '/etc/fwknop/b.conf': `SOURCE 10.0.0.2\n${KEYS}\n`,
      '/etc/fwknop/more/c.conf': `SOURCE 10.0.0.3\n${KEYS}\n`,
    },
    { '/etc/fwknop/more': ['/etc/fwknop/more/c.conf'] },
  )
  assert.deepEqual(
    stanzas.map(({ id, location, sources }) => [
      id,
      location.file.split('/').pop(),
      sources !== 'any' && sources[0]?.prefix,
    ]),
    [
      [1, 'a.conf', '10.0.0.1'],
      [2, 'b.conf', '10.0.0.2'],
      [3, 'c.conf', '10.0.0.3'],
      [4, 'access.conf', '10.0.0.4'],
    ],
  )
})

const A = '/etc/fwknop/a.conf'
const wrongIncludes: [
  what: string,
  main: string,
  more: Record<string, string>,
  code: string,
  file: string,
  line: number,
][] = [
  ['a cycle', '%include a.conf', { [A]: '\n%include access.conf' }, 'CONFIG_CONFLICT', A, 2],
  [
    'a file that includes itself by another spelling',
    '%include .//a.conf',
    { [A]: '%include ./a.conf' },
    'CONFIG_CONFLICT',
    A,
    1,
  ],
  ['a file that includes itself', '%include a.conf', { [A]: '%include a.conf' }, 'CONFIG_CONFLICT', A, 1],
  [
    'files nested four deep',
    '%include a.conf',
    { [A]: '%include b', '/etc/fwknop/b': '%include c', '/etc/fwknop/c': '%include d', '/etc/fwknop/d': '' },
    'CONFIG_CONFLICT',
    '/etc/fwknop/c',
    1,
  ],
  [
    'a setting after an include',
    `%include a.conf\nOPEN_PORTS tcp/22`,
    { [A]: `SOURCE ANY\n${KEYS}` },
    'CONFIG_SYNTAX',
    FILE,
    2,
  ],
  [
    'a file that begins without SOURCE',
    `SOURCE ANY\n${KEYS}\n%include a.conf`,
    { [A]: 'OPEN_PORTS tcp/22' },
    'CONFIG_SYNTAX',
    A,
    1,
  ],
  ['a bad line in an included file', '%include a.conf', { [A]: 'SOURCE ANY\nKEYS a' }, 'CONFIG_UNKNOWN_KEY', A, 2],
  [
    'a setting after a file of keys',
    'SOURCE ANY\n%include_keys a.conf\nOPEN_PORTS tcp/1',
    { [A]: KEYS },
    'CONFIG_SYNTAX',
    FILE,
    3,
  ],
]
for (const [what, main, more, code, file, line] of wrongIncludes) {
  test(`${what} is refused: ${code}`, () => {
    const failure = refusal(main, more)
    assert.equal(failure.code, code, failure.detail)
    assert.deepEqual(failure.at, { file, line })
  })
}

test('three deep is deep enough', () => {
  const { stanzas } = parse('%include a.conf', {
    [A]: '%include b',
    '/etc/fwknop/b': '%include c',
    '/etc/fwknop/c': `SOURCE ANY\n${KEYS}`,
  })
  assert.equal(stanzas.length, 1)
})

test('keys may come from a file of their own', () => {
  const { stanzas, notices } = parse('SOURCE ANY\nOPEN_PORTS tcp/22\n%include_keys a.conf\n', { [A]: KEYS })
  assert.equal(stanzas[0]?.hmac?.type, 'sha256')
  assert.deepEqual(notices, [])
})

const badKeyFiles: [what: string, text: string | undefined][] = [
  ['is not there', undefined],
  ['holds something else', `${KEYS}\nOPEN_PORTS tcp/3306`],
  ['has a line that cannot be read', 'KEY=a'],
  ['has a key that is too long', `KEY ${'k'.repeat(33)}`],
  ['is empty', ''],
]
for (const [what, text] of badKeyFiles) {
  test(`a file of keys that ${what} costs its own stanza only, with a warning`, () => {
    const more = text === undefined ? {} : { [A]: text }
    const { stanzas, notices } = parse(`SOURCE 10.0.0.1\n%include_keys a.conf\nSOURCE ANY\n${KEYS}`, more)
    assert.deepEqual(
      stanzas.map(({ id, location }) => [id, location.line]),
      [[2, 3]],
    )
    assert.deepEqual(
      notices.map(({ level, at }) => [level, at?.line]),
      [['warning', 2]],
    )
  })
}

test('a stanza that is wrong in itself is not excused by its file of keys', () => {
  assert.equal(refusal('SOURCE ANY\nOPEN_PORTS 0\n%include_keys a.conf', { [A]: KEYS }).code, 'CONFIG_INVALID_VALUE')
})

test('where every stanza is left out, the server does not start', () => {
  const failure = refusal('SOURCE ANY\n%include_keys a.conf')
  assert.equal(failure.code, 'CONFIG_MISSING_KEY')
  assert.deepEqual(failure.at, { file: FILE, line: 2 })
})

test('ten thousand stanzas are read while one waits', () => {
  const text = Array.from({ length: 10_000 }, (_, i) => {
    const address = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`
    return `SOURCE ${address}\nOPEN_PORTS tcp/22, tcp/443\nKEY_BASE64 ${encodeBase64(new Uint8Array(32).fill(i))}\nHMAC_KEY key number ${i}\nFW_ACCESS_TIMEOUT 30\n`
  }).join('\n')
  const before = performance.now()
  assert.equal(parse(text).stanzas.length, 10_000)
  const took = performance.now() - before
  // Some 100 ms here; what is guarded against is a cost that grows with the square.
  assert(took < 5_000, `${took} ms`)
})
