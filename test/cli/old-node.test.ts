/** On a Node.js that is too old, every command says so. On one that the machine has, and on one that says it is old. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ghostportCommand } from './ghostport.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const COMMAND_LINES = [['serve'], ['knock', '-D', '127.0.0.1'], ['status'], ['--version'], ['nonsense'], []]

function assertRefused(node: string, words: readonly string[], version: string): void {
  for (const line of COMMAND_LINES) {
    const { status, stdout, stderr } = spawnSync(node, [...words, ...line], { encoding: 'utf8' })
    assert.equal(stderr, `ghostport needs Node.js 22.13 or newer; this is ${version}\n`, line.join(' '))
    assert.equal(stdout, '')
    assert.equal(status, 69)
  }
}

it('a Node.js that says it is old is told so', () => {
  const [node = '', ...words] = ghostportCommand
  const fake = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.12.0' } })`
  assertRefused(node, ['--import', `data:text/javascript,${encodeURIComponent(fake)}`, ...words], '22.12.0')
})

for (const { node, version } of oldOnes())
  describe(`the compiled command on Node.js ${version}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-old-node-'))
    after(() => rmSync(folder, { recursive: true, force: true }))

    it('says that it is too old', () => {
      const compiled = join(folder, 'dist')
      const compiler = join(root, 'node_modules/typescript/bin/tsc')
      execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', compiled])
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
      assertRefused(node, [join(compiled, 'cli', 'ghostport.js')], version)
    })
  })

/** What is too old among the Node.js that are installed here, but not so old that ES modules are news to it. */
function oldOnes(): readonly { node: string; version: string }[] {
  const found = new Map<string, string>()
  for (const folder of ['/usr/bin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(delimiter)]) {
    const node = join(folder, 'node')
    const { stdout, status } = spawnSync(node, ['--print', 'process.versions.node'], { encoding: 'utf8' })
    const version = (stdout ?? '').trim()
    const major = Number.parseInt(version, 10)
    if (status === 0 && major >= 18 && major < 22) found.set(version, node)
  }
  return [...found].map(([version, node]) => ({ node, version }))
}
