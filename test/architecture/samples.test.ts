/** The sample settings in packaging/, and the firewalls in the documents, are valid and do what they promise. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { parseAccessConf } from '../../src/config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../src/config/reading/config-files.ts'
import { parseFwknopdConf } from '../../src/config/server/parse-fwknopd-conf.ts'

const sample = (name: string) => readFileSync(join(import.meta.dirname, '..', '..', 'packaging', name), 'utf8')
const stanzasOf = (text: string) =>
  parseAccessConf('access.conf', filesFromSnapshot({ texts: { 'access.conf': text }, folders: {}, failures: {} }))

it('fwknopd.conf holds nothing but defaults', () => {
  const ours = parseFwknopdConf('fwknopd.conf', sample('fwknopd.conf'))
  const none = parseFwknopdConf('fwknopd.conf', '')
  assert.ok(ours.ok && none.ok)
  assert.deepEqual(ours.value.config, none.value.config)
  assert.deepEqual(ours.value.notices, none.value.notices)
})

it('access.conf is refused until it has keys', () => {
  const read = stanzasOf(sample('access.conf'))
  assert.ok(!read.ok)
  assert.equal(read.failure.code, 'KEY_INVALID')
})

it('access.conf is good once it has keys, and nothing about it is worth a warning', () => {
  const key = (length: number, byte: number) => Buffer.alloc(length, byte).toString('base64')
  const text = sample('access.conf')
    .replace(/^(KEY_BASE64 +)__CHANGEME__/m, `$1${key(32, 1)}`)
    .replace(/^(HMAC_KEY_BASE64 +)__CHANGEME__/m, `$1${key(64, 2)}`)
  const read = stanzasOf(text)
  assert.ok(read.ok, read.ok ? '' : read.failure.detail)
  assert.equal(read.value.stanzas.length, 1)
  assert.deepEqual(read.value.notices, [])
})

/** The settings of one section of the unit; if a name occurs twice, the last. */
function unitSection(wanted: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>()
  let section = ''
  for (const line of sample('ghostport.service').split('\n')) {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (section === wanted && name !== undefined && value !== undefined) settings.set(name, value)
  }
  return settings
}

it('the unit starts ghostport again however often it ends', () => {
  assert.equal(unitSection('Service').get('Restart'), 'always')
  // systemd reads it in [Unit] only, and ignores it elsewhere.
  assert.equal(unitSection('Unit').get('StartLimitIntervalSec'), '0')
})

it('the unit has a hanging server killed without a core file', () => {
  const service = unitSection('Service')
  assert.equal(service.get('WatchdogSec'), '60')
  assert.equal(service.get('WatchdogSignal'), 'SIGKILL')
})

it('the unit leaves the warden the capabilities that it needs, and no other', () => {
  assert.deepEqual(unitSection('Service').get('CapabilityBoundingSet')?.split(' ').sort(), [
    'CAP_KILL',
    'CAP_NET_ADMIN',
    'CAP_NET_BIND_SERVICE',
    'CAP_NET_RAW',
  ])
})

/** The fenced blocks of all documents. */
const blocks = ['README.md', ...globSync('docs/*.md', { cwd: join(import.meta.dirname, '..', '..') })].flatMap(
  (file) => {
    const text = readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8')
    return [...text.matchAll(/^```.*\n([\s\S]*?)^```$/gm)].map(([, block = '']) => ({ file, block }))
  },
)

it('each firewall that drops by default in a document keeps sessions and IPv6 alive', () => {
  const closed = blocks.filter(({ block }) => /policy drop|-P INPUT DROP/.test(block))
  assert.ok(
    closed.some(({ file }) => file === 'docs/BY-HAND.md') && closed.some(({ file }) => file === 'docs/OPERATING.md'),
  )
  for (const { file, block } of closed) {
    const needs = block.includes('policy drop')
      ? ['ct state established,related accept', 'nd-neighbor-solicit', 'nd-neighbor-advert', 'nd-router-advert']
      : [
          '--ctstate ESTABLISHED,RELATED -j ACCEPT',
          'ip6tables -A INPUT -p ipv6-icmp -j ACCEPT',
          'ip6tables -P INPUT DROP',
        ]
    for (const line of needs) assert.ok(block.includes(line), `${file}: no “${line}” in\n${block}`)
    assert.doesNotMatch(block, /flush ruleset/, `${file}: takes the tables of others away, ghostport’s among them`)
  }
})
