/** `ghostport serve --exit-parse-config`, with files as users have them. */
import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Home, type Transcript } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

const STANZA = 'SOURCE ANY\nOPEN_PORTS TCP/22\nKEY abc\nHMAC_KEY def\n'

function check(...argv: readonly string[]): Promise<Transcript> {
  return home.ghostport(['serve', '--exit-parse-config', ...argv])
}

/** One stanza, none left out. What this host lacks is not tested here. */
function assertGood({ status, stdout, stderr }: Transcript): void {
  assert.deepEqual([status, stdout], [0, 'The configuration is good: 1 stanza.\n'], stderr)
}

describe('paths that are relative', () => {
  it('start in the folder of the file, also where its own path has no slash', async () => {
    home.write('access.conf', STANZA)
    for (const text of [
      '',
      'ACCESS_FILE access.conf;',
      'ACCESS_FILE ./access.conf',
      'ACCESS_FILE $FWKNOP_CONF_DIR/access.conf;',
    ]) {
      home.write('fwknopd.conf', text)
      for (const file of ['fwknopd.conf', './fwknopd.conf', join(home.path, 'fwknopd.conf')])
        assertGood(await check('-c', file))
    }
  })
  it('lead through other folders', async () => {
    mkdirSync(join(home.path, 'etc/more'), { recursive: true, mode: 0o700 })
    home.write('etc/fwknopd.conf', 'ACCESS_FILE $FWKNOP_CONF_DIR/a.conf\nREPLAY_DB $FWKNOP_CONF_DIR/replay.db')
    home.write('etc/a.conf', '%include ./more/b.conf\n%include_folder more\n')
    home.write('etc/more/b.conf', `%include ../../access.conf\nSOURCE ANY\n%include_keys ./k\n`)
    home.write('etc/more/k', 'KEY abc\nHMAC_KEY def')
    const { status, stdout, stderr } = await check('-c', 'etc/fwknopd.conf')
    assert.equal(status, 0, stderr)
    assert.match(stdout, /4 stanzas/)
    assert.equal((await check('-c', 'etc/fwknopd.conf', '-a', 'access.conf')).status, 0)
  })
})

describe('a file of keys in a user’s home', {
  skip: process.getuid?.() !== 0 && 'only root can give files away',
}, () => {
  const ADA = 12_345
  const writeKeys = (mode: number): string => {
    const folder = join(home.path, 'ada')
    mkdirSync(folder, { recursive: true })
    const file = home.write('ada/spa.keys', 'KEY abc\nHMAC_KEY def\n', mode)
    for (const path of [folder, file]) chownSync(path, ADA, ADA)
    return file
  }
  it('is taken with mode 0600', async () => {
    const file = writeKeys(0o600)
    home.write('users.conf', `SOURCE ANY\n%include_keys ${file}\n`)
    assertGood(await check('-c', 'fwknopd.conf', '-a', 'users.conf'))
  })
  it('that others can read leaves its stanza out, and the advice is for that file', async () => {
    const file = writeKeys(0o640)
    const why = `${file} is a file of keys, and others can read or change it (mode 0640)`
    const only = await check('-c', 'fwknopd.conf', '-a', 'users.conf')
    assert.equal(only.status, 78)
    assert.match(only.stderr, /users\.conf:2: /)
    assert.ok(
      only.stderr.includes(`the only stanza has no usable key: ${why} — perhaps: chmod 600 ${file} [`),
      only.stderr,
    )
    home.write('more.conf', `SOURCE ANY\n%include_keys ${file}\n${STANZA}`)
    const more = await check('-c', 'fwknopd.conf', '-a', 'more.conf')
    assert.equal(more.status, 0, more.stderr)
    assert.ok(more.stderr.includes(`is left out: ${why} — perhaps: chmod 600 ${file}`), more.stderr)
  })
})

describe('an access.conf that others can read', () => {
  it('is taken where it holds no keys', async () => {
    home.write('keys.conf', STANZA)
    home.write('open.conf', '# KEY abc\n%include keys.conf\n', 0o644)
    const { status, stderr } = await check('-c', 'fwknopd.conf', '-a', 'open.conf')
    assert.equal(status, 0, stderr)
  })
  it('is refused where it holds some, or an included file does', async () => {
    for (const name of ['open.conf', 'keys.conf']) {
      home.write('open.conf', `%include keys.conf\n${name === 'open.conf' ? STANZA : ''}`, 0o644)
      chmodSync(join(home.path, 'keys.conf'), name === 'keys.conf' ? 0o644 : 0o600)
      const { status, stderr } = await check('-c', 'fwknopd.conf', '-a', 'open.conf')
      assert.equal(status, 77)
      assert.match(
        stderr,
        new RegExp(`${name} holds keys and can be read by others \\(mode 0644\\) — perhaps: chmod 600 `),
      )
    }
  })
})
