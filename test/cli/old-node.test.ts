/**
 * With a Node.js that is too old, every command reports it: one that the machine has, and one that pretends to be old.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { compilePackage } from '../support/compiled.ts'
import { some } from '../support/in-full.ts'
import { ghostportCommand } from './ghostport.ts'

const COMMAND_LINES = [['serve'], ['knock', '-D', '127.0.0.1'], ['status'], ['--version'], ['nonsense'], []]

const compiled = compilePackage()
after(() => compiled[Symbol.dispose]())

function assertRefused(node: string, words: readonly string[], version: string): void {
  for (const line of some(COMMAND_LINES, 3)) {
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

it('the compiled command tells it to a Node.js that lacks what newer ones have', () => {
  const [node, program] = compiled.command
  const fake = `delete process.getBuiltinModule
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } })`
  for (const name of ['ghostport', 'fwknop', 'fwknopd'])
    assertRefused(
      node,
      ['--import', `data:text/javascript,${encodeURIComponent(fake)}`, join(dirname(program), `${name}.js`)],
      '18.20.4',
    )
})

for (const { node, version } of oldOnes())
  describe(`the compiled command on Node.js ${version}`, () => {
    it('says that it is too old', () => {
      assertRefused(node, [compiled.command[1]], version)
    })
  })

/** A Node.js on this machine that is too old, but new enough for ES modules. */
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
