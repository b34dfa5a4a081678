/** The sample files of packaging/, as an operator finds them and as one would fill them in. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { buildPolicy } from './access/build-policy.ts'
import { parseAccessConf } from './access/parse-access-conf.ts'
import { filesFromSnapshot } from './reading/config-files.ts'
import { parseFwknopdConf } from './server/parse-fwknopd-conf.ts'

const sample = (name: string) => readFileSync(new URL(`../../packaging/${name}`, import.meta.url), 'utf8')
const access = (text: string) =>
  parseAccessConf('/access.conf', filesFromSnapshot({ texts: { '/access.conf': text }, folders: {}, failures: {} }))

/** The settings that the samples show in comments, as if somebody had taken the `#` away. */
const uncommented = (text: string) => text.replace(/^# (?=[A-Z_]{3,} {2,}\S)/gm, '')
const withKeys = (text: string) =>
  text.replace(/^(KEY_BASE64 +)\S+/gm, '$1aGVsbG8xMg==').replace(/^(HMAC_KEY_BASE64 +)\S+/gm, '$1YWJj')

test('the sample server starts, with nothing to warn of', () => {
  const server = parseFwknopdConf('/fwknopd.conf', sample('fwknopd.conf'))
  assert(server.ok, JSON.stringify(server))
  assert.deepEqual(server.value.notices, [])
})

test('the sample stanza is refused until it has keys of its own', () => {
  const refused = access(sample('access.conf'))
  assert(!refused.ok && refused.failure.code === 'KEY_INVALID')
  const server = parseFwknopdConf('/fwknopd.conf', sample('fwknopd.conf'))
  const stanzas = access(withKeys(sample('access.conf')))
  assert(server.ok && stanzas.ok, JSON.stringify(stanzas))
  assert.deepEqual(stanzas.value.notices, [])
  const policy = buildPolicy(server.value.config, stanzas.value.stanzas)
  assert(policy.ok && policy.value.notices.length === 0)
})

test('what the samples show in comments is understood', () => {
  for (const line of uncommented(sample('fwknopd.conf')).split('\n')) {
    const parsed = parseFwknopdConf('/fwknopd.conf', `${line}\n`)
    const needsMore = !parsed.ok && ['CONFIG_CONFLICT', 'CONFIG_MISSING_KEY'].includes(parsed.failure.code)
    assert(parsed.ok || needsMore, `${line}: ${JSON.stringify(parsed)}`)
  }
})
