/** `ghostport serve --exit-parse-config`, on files as people have them. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Home, type Transcript } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

const STANZA = 'SOURCE ANY\nOPEN_PORTS TCP/22\nKEY abc\nHMAC_KEY def\n'

function check(...argv: readonly string[]): Promise<Transcript> {
  return home.ghostport(['serve', '--exit-parse-config', ...argv])
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
        assert.deepEqual(await check('-c', file), {
          status: 0,
          stdout: 'The configuration is good: 1 stanza.\n',
          stderr: '',
        })
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
