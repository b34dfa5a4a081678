/**
 * Namespaces are made and removed, also if something fails. `spaserver` and similar names belong to the story
 * (test/story).
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readlinkSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import {
  addNamespaces,
  holdNamespace,
  inside,
  layCable,
  NameTaken,
  namedNamespace,
  removeNamespaces,
  runInside,
} from '../support/namespace.ts'
import { netnsUnavailable } from '../support/netns.ts'

const NAMES = ['one', 'two', 'three'].map((name) => `ghostport-test-${process.pid}-${name}`)
const isThere = (name: string) => existsSync(`/run/netns/${name}`)

describe('a namespace', { skip: netnsUnavailable() }, () => {
  after(() => removeNamespaces(NAMES))

  it('that is held ends when it is closed', async () => {
    const held = await holdNamespace('held')
    assert.notEqual(readlinkSync(held.path), readlinkSync('/proc/self/ns/net'))
    await held.close()
    assert.ok(!existsSync(held.path))
  })

  it('that is named is there until it is removed', () => {
    addNamespaces(NAMES)
    assert.deepEqual(NAMES.map(isThere), [true, true, true])
    const [first = ''] = NAMES
    const [file, ...args] = inside(namedNamespace(first), ['ip', '-brief', 'link', 'show', 'lo'])
    assert.match(spawnSync(file, args, { encoding: 'utf8' }).stdout, /^lo +UNKNOWN .*LOWER_UP/)
    removeNamespaces(NAMES)
    assert.deepEqual(NAMES.map(isThere), [false, false, false])
  })

  it('that cannot be made takes those with it that were made for the same purpose', () => {
    const [, second = ''] = NAMES
    addNamespaces([second])
    assert.throws(
      () => addNamespaces(NAMES),
      (error) => error instanceof NameTaken && error.namespace === second,
    )
    assert.deepEqual(NAMES.map(isThere), [false, true, false], 'the one that was there stays')
    removeNamespaces([second])
  })

  it('is joined to another, whether held or named', async () => {
    const [first = ''] = NAMES
    addNamespaces([first])
    const held = await holdNamespace('held')
    try {
      const named = namedNamespace(first)
      layCable(
        { namespace: held, name: 'eth0', addresses: ['10.9.0.1/24', 'fd09::1/64'] },
        { namespace: named, name: 'eth7', addresses: ['10.9.0.2/24', 'fd09::2/64'] },
      )
      for (const address of ['10.9.0.2', 'fd09::2']) runInside(held, ['ip', 'route', 'get', address])
      runInside(named, ['ip', 'link', 'show', 'eth7'])
      assert.throws(
        () => runInside(held, ['ip', 'link', 'show', 'eth7']),
        /^Error: held: ip link show eth7\n.*not exist/,
      )
    } finally {
      removeNamespaces([first])
      await held.close()
    }
  })
})
