import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Finding } from '../../firewall/host/findings.ts'
import type { LogField } from '../../log.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { HostWatch } from './host-watch.ts'

const OPEN: Finding = { code: 'HOST_OPEN_PORT', level: 'warning', text: 'tcp/22 is open', cure: 'shut it' }
const UNJUDGED: Finding = { code: 'HOST_NOT_JUDGED', level: 'info', text: 'not judged' }

function watching(found: () => Result<readonly Finding[]>) {
  const lines: [string, string, { readonly [name: string]: LogField }][] = []
  const looks: number[] = []
  const watch = new HostWatch(
    async () => {
      looks.push(performance.now())
      return found()
    },
    { write: (level, event, fields = {}) => void lines.push([level, event, fields]) },
  )
  return { watch, lines, looks, [Symbol.dispose]: () => watch.close() }
}

/** Waits for what a look brings. */
async function until(holds: () => boolean, what: string): Promise<void> {
  for (const deadline = performance.now() + 20_000; !holds(); await delay(5))
    assert.ok(performance.now() < deadline, `never: ${what}`)
}

test('what is found is told once, and once when it is gone', async () => {
  let found: readonly Finding[] = [OPEN, UNJUDGED]
  using it = watching(() => ok(found))
  assert.deepEqual(await it.watch.current(), found)
  assert.deepEqual(it.lines, [
    ['warning', 'host firewall', { code: OPEN.code, text: OPEN.text, cure: 'shut it' }],
    ['info', 'host firewall', { code: UNJUDGED.code, text: UNJUDGED.text }],
  ])
  found = [UNJUDGED]
  it.watch.changed()
  await until(() => it.watch.known === found, 'the change is known')
  assert.deepEqual(it.lines.slice(2), [['info', 'host firewall mended', { code: OPEN.code, text: OPEN.text }]])
})

test('a storm of changes and of questions costs one look a second', async () => {
  using it = watching(() => ok([]))
  const end = performance.now() + 2_500
  while (performance.now() < end) {
    it.watch.changed()
    await it.watch.current()
    await delay(5)
  }
  const during = it.looks.length
  assert.ok(during >= 2, `${during} looks`)
  it.watch.changed()
  await until(() => it.looks.length > during, 'what changed last is looked at')
  for (const [i, at] of it.looks.entries()) assert.ok(i === 0 || at - (it.looks[i - 1] ?? 0) >= 990)
})

test('while rules change again and again, nothing is read; when it is quiet, it is', async () => {
  using it = watching(() => ok([OPEN]))
  const end = performance.now() + 2_500
  while (performance.now() < end) {
    it.watch.unrest()
    it.watch.changed()
    assert.deepEqual(await it.watch.current(), [])
    await delay(5)
  }
  assert.equal(it.looks.length, 0)
  await until(() => it.watch.known.length > 0, 'the change is known')
  assert.equal(it.looks.length, 1)
})

test('what changes during a look is looked at afterwards', async () => {
  let found: readonly Finding[] = []
  using it: ReturnType<typeof watching> = watching(() => {
    if (it.looks.length > 1) return ok([OPEN])
    found = [OPEN]
    it.watch.changed()
    return ok([])
  })
  assert.deepEqual(await it.watch.current(), [])
  await until(() => it.watch.known.length > 0, 'the change is known')
  assert.deepEqual(it.watch.known, found)
})

test('a look that fails is told once, and what was known stays', async () => {
  let works = true
  using it = watching(() => (works ? ok([OPEN]) : refuse('FIREWALL_UNAVAILABLE', 'no netlink')))
  await it.watch.current()
  works = false
  for (let i = 0; i < 2; i++) {
    await delay(1_050)
    assert.deepEqual(await it.watch.current(), [OPEN])
  }
  assert.deepEqual(
    it.lines.map(([, event]) => event),
    ['host firewall', 'host firewall not read'],
  )
})
