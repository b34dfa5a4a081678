import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { StateFolder } from '../../system/state-folder.ts'
import { milliseconds } from '../../units.ts'
import { LoginTries } from './login-tries.ts'

const root = mkdtempSync(join(tmpdir(), 'ghostport-tries-'))
after(() => rmSync(root, { recursive: true }))
let folders = 0

function folder(): StateFolder {
  const state = StateFolder.open(join(root, `${folders++}`), undefined)
  assert.ok(state.ok)
  return state.value
}

function open(state: StateFolder, wall = () => 1_800_000_000_000): LoginTries {
  const tries = LoginTries.open(state, wall)
  assert.ok(tries.ok, JSON.stringify(tries))
  return tries.value
}

describe('tries to log in', () => {
  it('of a source are spent also after a restart, and come back with time', async () => {
    const state = folder()
    const tries = open(state)
    for (let i = 0; i < 5; i++) assert.ok(tries.take('192.0.2.1', 'ada'))
    assert.ok(!tries.take('192.0.2.1', 'ada'))
    await tries.saved()
    const minutes = (count: number) => () => 1_800_000_000_000 + count * 60_000
    assert.ok(!open(state, minutes(0)).take('192.0.2.1', 'ada'), 'at once')
    assert.ok(!open(state, minutes(-600)).take('192.0.2.1', 'ada'), 'with a clock that was set back')
    const later = open(state, minutes(3.1))
    assert.ok(later.take('192.0.2.1', 'ada'))
    assert.ok(!later.take('192.0.2.1', 'ada'))
    assert.ok(open(state).take('192.0.2.2', 'ada'), 'another source')
  })

  it('of a user, from many sources, are spent also after a restart; but not where the user has been', async () => {
    const state = folder()
    const tries = open(state)
    tries.succeeded('198.51.100.7', 'ada')
    for (let i = 0; i < 20; i++) assert.ok(tries.take(`192.0.2.${i}`, 'ada'))
    assert.ok(!tries.take('192.0.2.99', 'ada'))
    // Names that nobody has push out no real one.
    for (let i = 0; i < 3_000; i++) tries.take(`2001:db8:${i.toString(16)}::/64`, undefined)
    assert.ok(!tries.take('192.0.2.98', 'ada'))
    await tries.saved()
    const again = open(state)
    assert.ok(!again.take('192.0.2.97', 'ada'))
    assert.ok(again.take('192.0.2.97', 'grace'), 'another user')
    assert.ok(again.take('198.51.100.7', 'ada'), 'where ada logged in before')
  })

  it('are in a file of bounded size, without an address', async () => {
    const state = folder()
    const tries = open(state)
    for (let i = 0; i < 12_000; i++) tries.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 'ada.l')
    for (let i = 0; i < 1_500; i++) tries.succeeded('192.0.2.1', `user.${i}`)
    await tries.saved()
    const text = readFileSync(join(state.path, 'form-tries.json'), 'utf8')
    assert.ok(text.length < 400_000, `${text.length}`)
    // A hash has no dot.
    assert.doesNotMatch(text, /10\.0|192\.0|ada\.|user\./)
    assert.ok(open(state).take('192.0.2.1', 'user.1499'))
  })

  it('in a file that is damaged stop the start, and no text makes it throw', () => {
    const state = folder()
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        writeFileSync(join(state.path, 'form-tries.json'), text, { mode: 0o600 })
        const read = LoginTries.open(state)
        assert.ok(!read.ok && read.failure.code === 'CONFIG_UNREADABLE' && /is damaged/.test(read.failure.detail))
      }),
    )
  })

  it('a source can be counted at a time of its own', () => {
    const tries = open(folder())
    for (let i = 0; i < 5; i++) assert.ok(tries.take('192.0.2.1', undefined, milliseconds(1_000)))
    assert.ok(!tries.take('192.0.2.1', undefined, milliseconds(100_000)))
    assert.ok(tries.take('192.0.2.1', undefined, milliseconds(200_000)))
  })
})
