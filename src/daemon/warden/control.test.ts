import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { askControl, serveControl } from './control.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-control-'))
after(() => rmSync(folder, { recursive: true }))

test('an answer comes back whole, over a socket that only its owner may open', async () => {
  const path = join(folder, 'made', 'control.sock')
  const server = await serveControl(path, { status: async () => ({ grants: ['tcp/22'] }) })
  assert.ok(server.ok)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const answer = await askControl(path, 'status')
  assert.deepEqual(answer, { ok: true, value: { grants: ['tcp/22'] } })
  const unknown = await askControl(path, 'constructor')
  assert.deepEqual(unknown, { ok: true, value: { error: 'unknown question' } })
  server.value.close()
})

test('the kernel says who asks', async () => {
  const path = join(folder, 'asker.sock')
  const server = await serveControl(path, { who: async (_, asker) => asker() })
  assert.ok(server.ok)
  const script = `
    const socket = require('net').connect(process.argv[1], () => socket.write('{"ask":"who","uid":4711,"pid":1}\\n'))
    socket.on('data', (answer) => console.log(process.pid + ' ' + answer))`
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  for await (const chunk of child.stdout) said += chunk
  const [pid, answer = ''] = said.split(' ')
  const loginUid = Number(readFileSync('/proc/self/loginuid', 'utf8'))
  const login = loginUid === 0xffff_ffff ? {} : { loginUid }
  assert.deepEqual(JSON.parse(answer), { uid: process.getuid?.(), pid: Number(pid), ...login })
  server.value.close()
})

test('a long answer keeps its letters, also those that arrive in two pieces', async () => {
  const path = join(folder, 'long.sock')
  // Each letter begins at an odd byte; the pieces have an even number of bytes.
  const name = 'é'.repeat(300_000)
  const server = await serveControl(path, { status: async () => ({ name }) })
  assert.ok(server.ok)
  assert.deepEqual(await askControl(path, 'status'), { ok: true, value: { name } })
  server.value.close()
})

test('a socket that a dead daemon left behind is replaced', async () => {
  const path = join(folder, 'stale.sock')
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script, path])
  assert.ok(statSync(path).isSocket())
  const server = await serveControl(path, { status: async () => 1 })
  assert.ok(server.ok)
  assert.deepEqual(await askControl(path, 'status'), { ok: true, value: 1 })
  server.value.close()
})

test('a file that is no socket is not removed', async () => {
  const path = join(folder, 'precious.txt')
  writeFileSync(path, 'mine')
  const server = await serveControl(path, {})
  assert.ok(!server.ok)
  assert.equal(server.failure.code, 'CONFIG_UNWRITABLE')
  assert.match(server.failure.detail, /precious\.txt exists and is not a socket/)
  assert.equal(readFileSync(path, 'utf8'), 'mine')
})

for (const [mode, code] of [
  [0o755, undefined],
  [0o1777, 'CONFIG_EXPOSED'],
  [0o777, 'CONFIG_EXPOSED'],
  [0o770, 'CONFIG_EXPOSED'],
] as const)
  test(`a folder of mode ${mode.toString(8)}: ${code ?? 'served'}`, async () => {
    const inner = mkdtempSync(join(folder, 'open-'))
    chmodSync(inner, mode)
    const server = await serveControl(join(inner, 'control.sock'), {})
    assert.equal(server.ok ? undefined : server.failure.code, code)
    if (server.ok) server.value.close()
  })

test('no daemon is a clear answer', async () => {
  const answer = await askControl(join(folder, 'nobody.sock'), 'status')
  assert.equal(answer.ok ? '' : answer.failure.code, 'STATUS_UNAVAILABLE')
})

test('a client that talks and talks is cut off, and the next one is served', async () => {
  const path = join(folder, 'talk.sock')
  const server = await serveControl(path, { status: async () => 'here' })
  assert.ok(server.ok)
  await new Promise<void>((done) => {
    const socket = connect(path, () => socket.write('x'.repeat(5000)))
    socket.on('close', () => done())
    socket.on('error', () => {})
  })
  assert.deepEqual(await askControl(path, 'status'), { ok: true, value: 'here' })
  server.value.close()
})
