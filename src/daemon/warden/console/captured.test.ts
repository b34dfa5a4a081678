/** What a captured console can make the server spend: memory, programs, lines of the audit log. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { AuditEvent } from '../../../audit-log/entry.ts'
import { systemClock } from '../../../clock.ts'
import { ok } from '../../../result.ts'
import { Desk, type DeskParts } from './desk.ts'
import { EventRing } from './event-ring.ts'
import type { OwnCommands } from './own-command.ts'
import { serveConsole } from './socket.ts'

const log = { write: () => {} }
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A connection to a socket that this desk answers. */
async function asking(served: Desk): Promise<Socket> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-captured-'))
  const path = join(folder, 'console.sock')
  const opened = await serveConsole(path, process.getuid?.() ?? 0, served, log)
  assert.ok(opened.ok, JSON.stringify(opened))
  const socket = connect(path)
  closing.push(
    opened.value,
    () => socket.destroy(),
    () => rmSync(folder, { recursive: true }),
  )
  return socket
}

const BY = { name: 'ada' }
const COMMANDS = {
  run: async () => ok({}),
  runLines: async () => ok([]),
} as unknown as OwnCommands

function desk(parts: Partial<DeskParts>): Desk {
  return new Desk({
    status: async () => ({}),
    uses: () => ({}),
    events: new EventRing(log),
    revoke: async () => ({}),
    reload: async () => ({}),
    firewall: { grants: async () => ok([]), open: async () => [] },
    stanzas: () => [],
    record: async () => ok(undefined),
    commands: COMMANDS,
    source: { server: '/etc/fwknop/fwknopd.conf' },
    rights: () => ['revoke', 'extend', 'reload', 'users'],
    clock: systemClock,
    uid: process.getuid?.() ?? 0,
    ...parts,
  })
}

it('answers that are not read are not made', async () => {
  let made = 0
  const status = async () => {
    made++
    return 'x'.repeat(1_000_000)
  }
  const socket = await asking(desk({ status }))
  socket.write('{"ask":"status"}\n'.repeat(50))
  await delay(500)
  assert.ok(made >= 1 && made <= 3, `${made} answers`)
  let read = 0
  socket.on('data', (chunk) => (read += chunk.length))
  while (read < 50_000_000) await delay(20)
  assert.equal(made, 50)
})

it('above 50 a second, requests are refused, and a refusal takes its time', async () => {
  let made = 0
  const socket = await asking(desk({ uses: () => made++ }))
  const began = performance.now()
  let answers = ''
  socket.setEncoding('utf8').on('data', (chunk) => (answers += chunk))
  socket.write('{"ask":"uses"}\n'.repeat(200))
  while (answers.split('\n').length <= 200) await delay(10)
  const seconds = (performance.now() - began) / 1000
  const refused = answers.split('too many requests').length - 1
  assert.equal(made + refused, 200)
  assert.ok(made <= 101 + 50 * seconds, `${made} in ${seconds} s`)
  assert.ok(seconds >= refused * 0.018, `${refused} refusals in ${seconds} s`)
})

it('what CONSOLE_RIGHTS refuse: the first have a line, later ones are counted, and no program runs again', async () => {
  const lines: AuditEvent[] = []
  let programs = 0
  const commands = { ...COMMANDS, run: async () => ok(programs++) } as unknown as OwnCommands
  const record: DeskParts['record'] = async (event) => ok(lines.push(event))
  const captured = desk({ record, commands, rights: () => [] })
  const signal = new AbortController().signal
  for (let i = 0; i < 100; i++) {
    const answer = await captured.answer({ ask: 'reload', by: BY as never }, signal)
    assert.equal(answer.done, false)
    await captured.answer({ ask: 'doctor' }, signal)
  }
  assert.equal(lines.length, 20)
  assert.equal(programs, 1)
})

it('changes make no queue of looks: what waits for its turn sees all of them', async () => {
  let programs = 0
  let release = (): void => {}
  const first = new Promise<void>((done) => (release = done))
  const run = async () => {
    programs++
    await first
    return ok({})
  }
  const captured = desk({ commands: { ...COMMANDS, run } as unknown as OwnCommands })
  const signal = new AbortController().signal
  const asked: Promise<unknown>[] = []
  for (let i = 0; i < 50; i++) {
    asked.push(captured.answer({ ask: 'doctor' }, signal), captured.answer({ ask: 'users' }, signal))
    await captured.answer({ ask: 'reload', by: BY as never }, signal)
  }
  release()
  await Promise.all(asked)
  assert.ok(programs <= 4, `${programs} programs`)
})
