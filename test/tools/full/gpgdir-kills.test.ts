/**
 * gpgdir killed at 1 000 random moments in a tree of 10 000 files: no file is lost, and none is changed. Takes half an
 * hour: `npm test -- test/tools/full`.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { after, before, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Keyring, makeKeyring } from '../../support/gnupg.ts'
import { makeTree } from '../../support/tree.ts'

const FILES = 10_000
const KILLS = 1_000
const KEY = 'client25519'

let keyring: Keyring
before(() => {
  keyring = makeKeyring([KEY, 'server25519'])
})
after(() => keyring.remove())

it('1 000 kills, 10 000 files', { timeout: 3_600_000 }, async (t) => {
  const tree = makeTree(t)
  for (let i = 0; i < FILES; i++) tree.write(`${i % 100}/${i % 7}/file ${i}`, `content ${i}\n`.repeat(1 + (i % 50)))
  const earlier = tree.contents()
  const words = (mode: string) => [
    ...['--conditions=ghostport-source', 'src/cli/gpgdir.ts', '-g', keyring.home],
    ...['-K', 'server25519', '--no-password', '-s', '-q', mode, tree.path],
  ]
  const check = (names: ReadonlySet<string>): void => {
    for (const name of earlier.keys())
      if (!name.endsWith('/')) assert.ok(names.has(name) || names.has(`${name}.gpg`), `${name} is lost`)
  }
  let killed = 0
  for (let round = 0; killed < KILLS && round < 3 * KILLS; round++) {
    const child = spawn(process.execPath, words(Math.floor(round / 20) % 2 === 0 ? '-e' : '-d'), { stdio: 'ignore' })
    const ended = once(child, 'close')
    await Promise.race([ended, delay(400 + Math.random() * 1500)])
    if (child.exitCode === null && child.kill('SIGKILL')) killed++
    await ended
    if (round % 50 === 0) check(new Set(tree.names()))
  }
  assert.equal(killed, KILLS)
  await delay(1000)
  const last = spawnSync(process.execPath, words('-d'), { encoding: 'utf8' })
  assert.equal(last.status, 0, last.stderr)
  assert.deepEqual(tree.contents(), earlier)
})
