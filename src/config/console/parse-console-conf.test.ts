/** `console.conf`: what it may say, what it says by default, and that docs/CONSOLE.md says the same. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { consoleSettingNames, parseConsoleConf } from './parse-console-conf.ts'

const parse = (...lines: readonly string[]) => parseConsoleConf('console.conf', lines.join('\n'))

describe('console.conf', () => {
  it('may be empty: then the console is for this host alone', () => {
    const parsed = parse()
    assert.ok(parsed.ok)
    const { config, notices } = parsed.value
    assert.deepEqual(config.listen, [{ kind: 'http', address: '127.0.0.1', port: 8622 }])
    assert.deepEqual(config.hosts, [{ name: 'localhost' }])
    assert.deepEqual([config.stateFolder, config.user], ['/var/lib/ghostport-console', 'ghostport-console'])
    assert.deepEqual([config.history, notices], [{ days: 90, events: 200_000 }, []])
  })

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['CONFIG_UNKNOWN_KEY', ['HISTORY_DAY 3'], /no setting “HISTORY_DAY”/],
    ['CONFIG_CONFLICT', ['USER nobody', 'USER daemon'], /USER is already set in line 1/],
    ['CONFIG_INVALID_VALUE', ['LISTEN http://192.0.2.1:80'], /plain HTTP is for proxies on this host/],
    ['CONFIG_MISSING_KEY', ['LISTEN https://192.0.2.1:443'], /does not set HOST/],
    ['CONFIG_MISSING_KEY', ['LISTEN unix:/run/x/http.sock'], /does not set HOST/],
    ['CONFIG_MISSING_KEY', ['CERTIFICATE_FILE /etc/x.pem'], /CERTIFICATE_FILE needs CERTIFICATE_KEY_FILE/],
    ['CONFIG_MISSING_KEY', ['CERTIFICATE_KEY_FILE /etc/x.pem'], /CERTIFICATE_KEY_FILE needs CERTIFICATE_FILE/],
    ['CONFIG_CONFLICT', ['CERTIFICATE_FILE /etc/x', 'CERTIFICATE_KEY_FILE /etc/y'], /has no effect/],
    ['CONFIG_CONFLICT', ['PROXY unix'], /PROXY unix has no effect/],
    ['CONFIG_INVALID_VALUE', ['PROXY 0.0.0.0/0'], /too wide/],
    ['CONFIG_INVALID_VALUE', ['HISTORY_EVENTS 10'], /HISTORY_EVENTS/],
    ['CONFIG_INVALID_VALUE', ['STATE_FOLDER here'], /STATE_FOLDER/],
  ]
  for (const [code, lines, detail] of refused)
    it(`refuses ${lines.join(', ')}`, () => {
      const parsed = parse(...lines)
      assert.ok(!parsed.ok)
      assert.equal(parsed.failure.code, code)
      assert.match(parsed.failure.detail, detail)
    })

  it('warns of a console that others can reach, and of one without a name', () => {
    const parsed = parse('LISTEN https://192.0.2.1:8443', 'HOST 192.0.2.1')
    assert.ok(parsed.ok)
    assert.equal(parsed.value.notices.length, 2)
    assert.match(parsed.value.notices[1]?.text ?? '', /passkeys for names alone/)
  })

  it('no text makes it throw', () => {
    const line = fc.tuple(fc.constantFrom(...consoleSettingNames, 'X'), fc.string()).map((words) => words.join(' '))
    fc.assert(fc.property(fc.array(line), (lines) => assert.equal(typeof parse(...lines).ok, 'boolean')))
  })

  it('has the settings that docs/CONSOLE.md has', () => {
    const page = readFileSync(new URL('../../../docs/CONSOLE.md', import.meta.url), 'utf8')
    const [, section = ''] = page.split('## Settings')
    const rows =
      section
        .split('\n## ')[0]
        ?.split('\n')
        .filter((row) => row.startsWith('| `')) ?? []
    const named = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name))
    assert.deepEqual(named.toSorted(), [...consoleSettingNames].toSorted())
  })
})
