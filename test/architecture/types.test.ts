import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const MADE_BY_TOOLS = ['node_modules', 'dist', '.setup', '.git']

test('the type checker reads every program of this repository, JavaScript included', () => {
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--listFilesOnly']
  const { stdout, stderr } = spawnSync(process.execPath, tsc, { cwd: root, encoding: 'utf8' })
  assert.equal(stderr, '')
  const checked = new Set(stdout.split('\n').map((file) => relative(root, file)))
  const programs = globSync('**/*.{ts,mts,cts,js,mjs,cjs}', {
    cwd: root,
    exclude: (path) => MADE_BY_TOOLS.some((folder) => path.split('/').includes(folder)),
  })
  assert.ok(programs.includes('scripts/test.mjs'), programs.join(' '))
  assert.deepEqual(
    programs.filter((program) => !checked.has(program)),
    [],
  )
})
