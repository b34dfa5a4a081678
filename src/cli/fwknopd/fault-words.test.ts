import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadConfig } from '../../config/load.ts'
import { filesFromSnapshot } from '../../config/reading/config-files.ts'
import { wordsFor, wordsOfFwknopd } from './fault-words.ts'

const OK = 'SOURCE ANY\nKEY testtest\n'

/** fwknopd.conf, access.conf → the words, through the real parser, whose sentences they depend on. */
const table: readonly (readonly [conf: string, access: string, words: string | undefined])[] = [
  ['', 'SOURCE 1.1.1.1/\nKEY testtest\n', 'Missing mask in SOURCE'],
  ['', 'SOURCE 1.1.1.1/33\nKEY testtest\n', 'Invalid IP mask in SOURCE'],
  ['', 'SOURCE 1.1.1.1/255.255.255.299\nKEY testtest\n', 'error parsing IP mask of SOURCE'],
  [
    '',
    'SOURCE aaaa/aa\nKEY testtest\n',
    'Error parsing the IP address of SOURCE: Fatal error parsing IP to int: Fatal invalid SOURCE',
  ],
  ['', `${OK}DESTINATION 2.2.2.2/33\n`, 'Invalid IP mask in DESTINATION'],
  ['', `${OK}OPEN_PORTS icmp/1\n`, 'Invalid protocol or port in access port entry'],
  ['', `${OK}OPEN_PORTS tcp\n`, 'Parse error on access port entry: Fatal invalid OPEN_PORTS in access stanza'],
  ['', `${OK}ENCRYPTION_MODE x\n`, 'Unrecognized ENCRYPTION_MODE'],
  ['', 'SOURCE any\nGPG_ALLOW_NO_PW Y\n', 'Must have either sig IDs or fingerprints'],
  ['', 'SOURCE any\n', 'No keys found for access stanza'],
  ['', 'SOURCE any\nKEY __CHANGEME__\n', 'KEY value is not properly set'],
  ['', 'SOURCE any\nKEY_BASE64 $$$\n', 'KEY_BASE64 does not look like base64'],
  ['', `${OK}HMAC_KEY_BASE64 $$$\n`, 'HMAC_KEY_BASE64 does not look like base64'],
  [
    '',
    'DESTINATION any\nKEY testtest\n',
    'Could not find valid SOURCE stanza: could not find any valid access.conf stanzas',
  ],
  ['', `SOURCE any\nKEY ${'a'.repeat(1200)}\n`, 'Invalid access file entry'],
  ['', `${OK}FW_ACCESS_TIMEOUT 9999999999999\n`, 'FW_ACCESS_TIMEOUT value not in range'],
  ['', `${OK}MAX_FW_TIMEOUT -1\n`, 'MAX_FW_TIMEOUT value not in range'],
  ['', `${OK}ACCESS_EXPIRE_EPOCH ${'9'.repeat(30)}\n`, 'invalid epoch seconds value in ACCESS_EXPIRE_EPOCH'],
  ['SYSLOG_FACILITY LOG_LOCAL8;\n', OK, 'Invalid SYSLOG_FACILITY setting'],
  ['IPT_INPUT_ACCESS ACCEPT;\n', OK, 'Invalid IPT_INPUT_ACCESS specification'],
  ['UDPSERV_PORT 99999999;\n', OK, 'var UDPSERV_PORT value not in the range'],
  ['VERBOSE -1;\n', OK, 'var VERBOSE value not in the range'],
  ['MAX_SPA_PACKET_AGE 99999999999;\n', OK, 'var MAX_SPA_PACKET_AGE value not in the range'],
  ['SNAT_TRANSLATE_IP invalid;\n', OK, 'Invalid IPv4 address in SNAT_TRANSLATE_IP'],
  ['ENABLE_IPT_FORWARDING Y;\n', `${OK}FORCE_NAT 1.2.3.4 999999\n`, 'invalid FORCE_NAT port'],
  [
    'ENABLE_IPT_FORWARDING Y;\n',
    `${OK}FORCE_NAT 1.2.3.4.9 33\n`,
    'invalid FORCE_NAT arg, need <IP> <PORT>: invalid FORCE_NAT IP',
  ],
  [
    '',
    `${OK}FORCE_NAT 1.2.3.4 22\n`,
    'FORCE_NAT requires either ENABLE_IPT_FORWARDING or ENABLE_IPT_LOCAL_NAT to be enabled in fwknopd.conf',
  ],
  ['ENABLE_IPT_FORWARDING Y;\n', `${OK}FORCE_SNAT a\n`, 'invalid FORCE_SNAT IP'],
  ['ENABLE_IPT_FORWARDING Y;\n', `${OK}FORCE_SNAT 1.2.3.4\n`, 'FORCE_SNAT requires either FORCE_NAT or FORWARD_ALL'],
  ['', 'SOURCE 1.1.1.1/0\nKEY testtest\n', 'Invalid IP mask in SOURCE'],
  ['', `${OK}RESTRICT_PORTS tcp/123453\n`, 'Fatal invalid RESTRICT_PORTS in access stanza'],
  ['PCAP_LOOP_SLEEP 9999999999999;\n', OK, 'var PCAP_LOOP_SLEEP value not in the range'],
  ['PCAP_DISPATCH_COUNT many;\n', OK, 'var PCAP_DISPATCH_COUNT value not in the range'],
  [
    '',
    `${OK}HMAC_KEY a\nHMAC_DIGEST_TYPE sha2\n`,
    'HMAC_DIGEST_TYPE must be one of md5, sha1, sha256, sha384, sha512, sha3_256, sha3_512',
  ],
  ['', `${OK}CMD_CYCLE_OPEN /a\nCMD_CYCLE_CLOSE /b\n`, 'Must set the CMD_CYCLE_TIMER for command cycle functionality'],
  // A fault that fwknopd does not know, or has no words for that would be true here.
  ['', `${OK}OPEN_PROTS tcp/22\n`, undefined],
  ['', `${OK}ACCESS_EXPIRE 1/2\n`, 'invalid date value (need MM/DD/YYYY) in ACCESS_EXPIRE'],
]
for (const [conf, access, words] of table)
  test(`${JSON.stringify((conf + access).slice(0, 70))}: ${words}`, () => {
    const texts = { '/fwknopd.conf': conf, '/access.conf': access }
    const files = filesFromSnapshot({ texts, folders: {}, failures: {} })
    const loaded = loadConfig(files, { server: '/fwknopd.conf', access: '/access.conf', dialect: 'fwknopd' })
    assert.ok(!loaded.ok)
    assert.equal(wordsOfFwknopd(loaded.failure), words)
  })

test('options of --key-gen have words too', () => {
  const detail = '--key-len: “0” is not a number of bytes from 1 to 32'
  assert.equal(wordsOfFwknopd({ code: 'VALUE_INVALID', detail }), 'Invalid key length')
})

test('what is not supported is never told as a fault of the value', () => {
  assert.equal(
    wordsOfFwknopd({ code: 'CONFIG_UNSUPPORTED_KEY', detail: 'FORCE_SNAT: “a” is not an IP address' }),
    undefined,
  )
})

test('a sentence of any kind is looked at without a fault', () => {
  fc.assert(fc.property(fc.string(), (sentence) => wordsFor(sentence) === undefined || sentence !== ''))
})
