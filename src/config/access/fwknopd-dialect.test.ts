import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { filesFromSnapshot } from '../reading/config-files.ts'
import type { Notice } from '../reading/notice.ts'
import { GNUPG_DEFAULTS } from './gnupg-keys.ts'
import { parseAccessConf } from './parse-access-conf.ts'

const FILE = '/etc/fwknop/access.conf'

/** @param more other files, by their paths. */
function read(text: string, more: Readonly<Record<string, string>> = {}) {
  const notices: Notice[] = []
  const files = filesFromSnapshot({
    texts: { [FILE]: text, ...more },
    folders: { '/folder': Object.keys(more).filter((name) => name.startsWith('/folder/')) },
    failures: {},
  })
  const parsed = parseAccessConf(FILE, files, GNUPG_DEFAULTS, { forgiving: { workingFolder: '/work', notices } })
  const all = parsed.ok ? [...notices, ...parsed.value.notices] : notices
  return {
    stanzas: parsed.ok ? parsed.value.stanzas : [],
    failure: parsed.ok ? undefined : parsed.failure,
    warnings: all
      .filter(({ text }) => /ignored|Ignoring unknown|left out|twice|is set after/.test(text))
      .map(({ text, at }) => `${at?.line}: ${text}`),
  }
}

const STANZA = 'SOURCE ANY\nKEY testtest\nHMAC_KEY other\n'

test('what fwknopd passes over is passed over with a warning', () => {
  const cases: readonly (readonly [line: string, warning: string])[] = [
    ['ENABLE_FOO Y', "4: Ignoring unknown access parameter: 'ENABLE_FOO': there is no such setting"],
    [
      'ENABLE_CMD_EXE Y',
      "4: Ignoring unknown access parameter: 'ENABLE_CMD_EXE': there is no such setting — perhaps: ENABLE_CMD_EXEC",
    ],
    ['????', '4: Invalid access file entry: the line is ignored: a line is a name, a blank and a value'],
    ['ENABLEFOO', '4: Invalid access file entry: the line is ignored: … has no value'],
    ['SPA_SERVER x', "4: Ignoring unknown access parameter: 'SPA_SERVER': it belongs in ~/.fwknoprc, on the client"],
  ]
  for (const [line, warning] of cases) {
    const { stanzas, warnings } = read(`${STANZA}${line}\n`)
    assert.equal(stanzas.length, 1)
    assert.deepEqual(warnings, [warning])
  }
})

test('a line that was meant to restrict a stanza costs the stanza, and no other', () => {
  for (const line of [
    'OPEN_PORT tcp/22',
    'REQUIRE_USERNAM ada',
    'OPEN_PORTS=tcp/22',
    'RESTRICT_PORTS:tcp/22',
    'SOURC 1.2.3.4',
    'ENABLE_CMD_SUDO_EXECS Y',
    'CMD_CYCLE_USR nobody',
    'CMD_CYCLE_GROUP:nogroup',
    'CMD_CYCLE_OPN /usr/bin/true',
    'GPG_HOMEDIR /etc/fwknop/gnupg',
  ]) {
    const { stanzas, warnings } = read(`${STANZA}${line}\nSOURCE 1.2.3.4\nKEY fourth\nHMAC_KEY other\n`)
    assert.deepEqual(
      stanzas.map(({ id }) => id),
      [2],
      line,
    )
    assert.match(warnings.join(), /^4: stanza 1 is left out, so that it does not allow more than it should: /)
  }
  const alone = read(`${STANZA}OPEN_PORT tcp/22\n`)
  assert.equal(alone.failure?.code, 'CONFIG_MISSING_KEY')
  assert.deepEqual(alone.failure?.at, { file: FILE, line: 4 })
  assert.match(alone.failure?.detail ?? '', /'OPEN_PORT' is not understood: there is no such setting$/)
  assert.equal(alone.failure?.suggestion, 'OPEN_PORTS')
})

test('a year that is long past leaves a stanza that has expired', () => {
  for (const [date, warning] of [
    ['3/10/01', 'the year 1 is past, so the stanza has expired — perhaps: 3/10/2001'],
    ['12/31/1969', 'the year 1969 is past, so the stanza has expired'],
  ] as const) {
    const notices: Notice[] = []
    const files = filesFromSnapshot({
      texts: { [FILE]: `${STANZA}ACCESS_EXPIRE ${date}\n` },
      folders: {},
      failures: {},
    })
    const parsed = parseAccessConf(FILE, files, GNUPG_DEFAULTS, { forgiving: { workingFolder: '/', notices } })
    assert.ok(parsed.ok)
    const [{ expires } = {}] = parsed.value.stanzas
    assert.ok(expires !== undefined && expires < Date.UTC(1972) / 1000)
    assert.deepEqual(notices, [{ level: 'warning', text: `ACCESS_EXPIRE: ${warning}`, at: { file: FILE, line: 4 } }])
  }
  assert.equal(read(`${STANZA}ACCESS_EXPIRE 2/30/01\n`).failure?.code, 'CONFIG_INVALID_VALUE')
})

test('commands are as long as fwknopd runs them, with what is put before them', () => {
  const most = (lines: string) => read(`${STANZA}ENABLE_CMD_EXEC Y\n${lines}`).stanzas[0]?.commands?.mostWords
  assert.equal(most(''), 28)
  assert.equal(most('ENABLE_CMD_SUDO_EXEC Y\nCMD_SUDO_EXEC_USER root\nCMD_SUDO_EXEC_GROUP root\n'), 23)
})

test('lines before the first SOURCE are ignored, and the last of several values counts', () => {
  const { stanzas, warnings } = read(`KEY stray\n${STANZA}OPEN_PORTS tcp/22\nOPEN_PORTS tcp/80\n`)
  assert.deepEqual(warnings, [
    '1: KEY is ignored: a stanza begins with SOURCE',
    '6: OPEN_PORTS is set twice: this value counts, and not the one in line 5',
  ])
  assert.deepEqual(stanzas[0]?.openPorts, [{ protocol: 'tcp', port: 80 }])
})

test('a stanza goes on after an include, and a relative path begins where fwknopd was started', () => {
  const { stanzas } = read('SOURCE 3.3.3.3\n%include inner.conf\nKEY third\nREQUIRE_USERNAME ada\n', {
    '/work/inner.conf': 'SOURCE ANY\nKEY inner\n',
  })
  assert.deepEqual(
    stanzas.map(({ sources, requireUsername }) => [sources === 'any', requireUsername]),
    [
      [false, 'ada'],
      [true, undefined],
    ],
  )
})

test('of a file of keys, only the keys count', () => {
  const { stanzas, warnings } = read('SOURCE ANY\n%include_keys /keys\n', {
    '/keys': 'SOURCE 1.2.3.4\nNO_SUCH_THING x\nKEY testtest\nOPEN_PORTS tcp/1\nHMAC_KEY other\n',
  })
  assert.deepEqual(
    stanzas.map(({ sources, openPorts, hmac }) => [sources, openPorts, hmac !== undefined]),
    [['any', undefined, true]],
  )
  assert.deepEqual(warnings, [])
  // A key that is misspelt is missed: without it, the stanza would be weaker.
  const misspelt = read('SOURCE ANY\n%include_keys /keys\n', { '/keys': 'KEY testtest\nHMAC_KEYS other\n' })
  assert.equal(misspelt.failure?.code, 'CONFIG_MISSING_KEY')
})

test('a folder replaces the file', () => {
  const files = filesFromSnapshot({
    texts: { '/folder/a.conf': STANZA, '/folder/b.conf': 'SOURCE 1.2.3.4\nKEY b\n' },
    folders: { '/folder': ['/folder/a.conf', '/folder/b.conf'] },
    failures: {},
  })
  const parsed = parseAccessConf(FILE, files, GNUPG_DEFAULTS, { folder: '/folder' })
  assert.ok(parsed.ok)
  assert.deepEqual(
    parsed.value.stanzas.map(({ location }) => location.file),
    ['/folder/a.conf', '/folder/b.conf'],
  )
})

test('no text makes it throw', () => {
  const line = fc.oneof(fc.string(), fc.constantFrom('SOURCE ANY', 'KEY x', 'OPEN_PORT tcp/1', '%include x', '%includ'))
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      assert.doesNotThrow(() => read(lines.join('\n')))
    }),
  )
})

test('a relative GPG_HOME_DIR begins where fwknopd was started', () => {
  const gnupg =
    'GPG_ALLOW_NO_PW Y\nGPG_DECRYPT_ID 361BBAD4\nGPG_FINGERPRINT_ID 00CC95F05BC146B6AC4038C9E36F443C6A3FAD56\n'
  const home = (path: string) => {
    const encryption = read(`SOURCE ANY\n${gnupg}GPG_HOME_DIR ${path}\n`).stanzas[0]?.encryption
    return encryption?.kind === 'gnupg' ? encryption.home : encryption?.kind
  }
  assert.equal(home('keys/server'), '/work/keys/server')
  assert.equal(home('/keys'), '/keys')
})

test('the last key counts: also one as base64 after one as text, and those of a file of keys', () => {
  const keys = 'SOURCE 9.9.9.9\nKEY testtest\nHMAC_KEY_BASE64 b3RoZXI=\nFW_ACCESS_TIMEOUT 3\n'
  const replaced = 'SOURCE 1.2.3.4\nKEY first\nKEY_BASE64 c2Vjb25k\nHMAC_KEY third\nOPEN_PORTS tcp/22\n'
  const { stanzas, failure, warnings } = read(`${replaced}%include_keys /keys\n${STANZA}`, { '/keys': keys })
  assert.equal(failure, undefined)
  const [one, same] = stanzas
  assert.ok(one !== undefined && same !== undefined)
  assert.deepEqual([one.encryption, one.hmac], [same.encryption, same.hmac])
  assert.deepEqual([one.openPorts, one.timeout], [[{ protocol: 'tcp', port: 22 }], same.timeout])
  assert.deepEqual(warnings, [
    '3: KEY_BASE64 is set after KEY in line 2: this value counts',
    `2: KEY is set after KEY_BASE64 in ${FILE}:3: this value counts`,
    `3: HMAC_KEY_BASE64 is set after HMAC_KEY in ${FILE}:4: this value counts`,
  ])
})
