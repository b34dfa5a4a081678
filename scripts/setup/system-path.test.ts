import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const USER = '/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games'

function pathAfterImport(path: string | undefined): string {
  const { PATH: _, ...environment } = process.env
  const { stdout } = spawnSync(
    process.execPath,
    [
      '--eval',
      `import(${JSON.stringify(join(import.meta.dirname, 'system-path.mjs'))}).then(() => console.log(process.env.PATH))`,
    ],
    { encoding: 'utf8', env: path === undefined ? environment : { ...environment, PATH: path } },
  )
  return stdout.trim()
}

test('the PATH of an ordinary Debian user gets what administers the system, after its own', () => {
  assert.equal(pathAfterImport(USER), `${USER}:/usr/local/sbin:/usr/sbin:/sbin`)
})

test('a PATH that has it stays in its order', () => {
  const root = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  assert.equal(pathAfterImport(root), root)
})

test('where there is no PATH, the system’s own folders are it', () => {
  assert.equal(pathAfterImport(undefined), '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin')
})
