import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { IpAddress } from '../../packet/address.ts'
import { port, seconds, unixSeconds } from '../../units.ts'
import { type Pending, parsePending, readPending, removePending, writePending } from './pending.ts'

const common = {
  armedAt: unixSeconds(1_795_410_748),
  time: seconds(300),
  before: [
    {
      ...{ peer: '198.51.100.7' as IpAddress, peerPort: port(50_000) },
      ...{ local: '192.0.2.1' as IpAddress, localPort: port(22) },
    },
  ],
}
const each: readonly Pending[] = [
  { by: 'policy', ...common },
  {
    by: 'init',
    ...common,
    ports: [port(22)],
    byLogin: true,
    mark: 0x20_0000,
    steps: [
      {
        kind: 'run',
        argv: ['systemctl', 'enable', 'x'],
        inverse: ['systemctl', 'disable', 'x'],
        mayFail: true,
        about: 'x',
      },
      { kind: 'run', argv: ['true'], about: 'y' },
    ],
    complete: false,
  },
]

function folder(t: TestContext): string {
  const made = mkdtempSync('/var/tmp/ghostport-pending-')
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

for (const pending of each)
  test(`what waits by ${pending.by} is read as it was written`, (t) => {
    const at = folder(t)
    assert.deepEqual(readPending(at), { ok: true, value: undefined })
    writePending(at, pending)
    assert.deepEqual(readPending(at), { ok: true, value: pending })
    removePending(at)
    assert.deepEqual(readPending(at), { ok: true, value: undefined })
  })

test('anything else is refused, and no text makes the reader throw', (t) => {
  const [policy, init] = each
  for (const text of [
    '',
    '{}',
    'null',
    JSON.stringify({ version: 2, ...policy }),
    JSON.stringify({ version: 1, ...policy, armedAt: -1 }),
    JSON.stringify({ version: 1, ...policy, ports: [22] }),
    JSON.stringify({ version: 1, ...init, by: 'policy' }),
    JSON.stringify({ version: 1, ...init, steps: [{ kind: 'run', argv: [], about: 'x' }] }),
  ])
    assert.equal(parsePending(text), undefined, text)
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parsePending(text) === undefined))
  const at = folder(t)
  writeFileSync(join(at, 'waiting.json'), 'x', { mode: 0o600 })
  const read = readPending(at)
  assert.ok(!read.ok && read.failure.code === 'CONFIG_UNREADABLE')
})
