/**
 * What a knock loads, since every module is a part of the 80 ms from its start to the packet: nothing native, nothing of
 * the server, and of Node what it uses. Counted and not timed: a time says more of the machine than of the program.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { ghostportCommand } from './ghostport.ts'

const PRINT_LOADED = `import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
registerHooks({ load(url, context, next) { writeSync(2, url + '\\n'); return next(url, context) } })`

it('a knock loads what it needs', () => {
  const [node = '', ...words] = ghostportCommand
  const hook = `data:text/javascript,${encodeURIComponent(PRINT_LOADED)}`
  const argv = [
    'knock',
    '-D',
    '127.0.0.1',
    '-A',
    'tcp/22',
    '-s',
    '--no-rc-file',
    '--key-rijndael',
    'a',
    '--key-hmac',
    'b',
  ]
  const { status, stderr } = spawnSync(node, ['--import', hook, ...words, ...argv], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const loaded = stderr.trim().split('\n')
  assert.ok(
    loaded.some((url) => url.endsWith('/packet/seal.ts')),
    stderr,
  )
  assert.deepEqual(
    loaded.filter((url) =>
      /koffi|sqlite|noble|\/src\/(daemon|firewall|capture|replay|access)\/|^node:(net|dns|child_process|http)/.test(
        url,
      ),
    ),
    [],
  )
  assert.ok(loaded.length <= 73, `${loaded.length} modules:\n${stderr}`)
})
