/** A start with all real parts is refused at its last step. It leaves nothing open, and the next start succeeds. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { after, test } from 'node:test'
import { systemClock } from '../../clock.ts'
import { MemoryLog } from '../../log.ts'
import { openSqliteReplayStore } from '../../replay/sqlite.ts'
import { startWarden } from './start.ts'

const directory = mkdtempSync(join(tmpdir(), 'ghostport-start-'))
after(() => rmSync(directory, { recursive: true }))
const file = (name: string): string => join(directory, name)

/** A port that is free for UDP and TCP. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  await new Promise((done) => server.close(done))
  return address.port
}

/** Fails if another socket has the port. */
async function bindBoth(port: number): Promise<void> {
  const udp = createSocket('udp4').bind(port)
  await new Promise((done, failed) => udp.once('listening', () => done(undefined)).once('error', failed))
  udp.close()
  const tcp = createServer().listen(port, '127.0.0.1')
  await new Promise((done, failed) => tcp.once('listening', () => done(undefined)).once('error', failed))
  tcp.close()
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a start that is refused at the end closes all that it opened, the last first', async () => {
  const port = await freePort()
  const settings = [
    ...['CAPTURE udp', `SPA_PORTS ${port}`, 'FIREWALL relay', `RELAY 127.0.0.1:${port} decoy=reset`],
    ...[`REPLAY_DB ${file('replay.db')}`, `CONTROL_SOCKET ${file('control.sock')}`],
  ]
  const conf = (more: readonly string[]): void =>
    writeFileSync(file('fwknopd.conf'), [...settings, ...more].map((line) => `${line};\n`).join(''), { mode: 0o600 })
  writeFileSync(file('access.conf'), 'SOURCE ANY\nKEY one key\nHMAC_KEY another key\n', { mode: 0o600 })
  writeFileSync(file('notes'), 'no process id\n')
  const source = { server: file('fwknopd.conf') }
  /** Process ids of receivers. These do nothing but hold the descriptors of the sockets. */
  const receivers: number[] = []
  const starterFor = () => ({
    separateUser: true,
    start: (fds: readonly number[]) => {
      const stdio = ['ignore', 'ignore', 'pipe', fds[0] ?? 'ignore', 'pipe'] as const
      const child = spawn('sleep', ['60'], { stdio: [...stdio], detached: true })
      receivers.push(child.pid ?? 0)
      return { child, channel: child.stdio[4] as unknown as Duplex, errors: child.stdio[2] as Readable }
    },
  })

  conf([`FWKNOP_PID_FILE ${file('notes')}`])
  const refused = await startWarden(source, new MemoryLog(), systemClock, { starterFor })
  assert.ok(!refused.ok)
  assert.equal(refused.failure.code, 'CONFIG_UNWRITABLE')
  assert.match(refused.failure.detail, /^FWKNOP_PID_FILE: .*holds no process id/)
  assert.ok(!existsSync(file('control.sock')), 'the control socket is gone')
  assert.deepEqual(receivers.map(isAlive), [false])
  await bindBoth(port)
  const store = openSqliteReplayStore({ path: file('replay.db'), maxAge: 'unlimited' })
  assert.ok(store.ok, 'the replay store is not locked')
  await store.value.close()

  conf([`FWKNOP_PID_FILE ${file('ghostport.pid')}`])
  const started = await startWarden(source, new MemoryLog(), systemClock, { starterFor })
  assert.ok(started.ok, started.ok ? '' : started.failure.detail)
  assert.ok(existsSync(file('control.sock')) && existsSync(file('ghostport.pid')))
  await started.value.stop()
  assert.ok(!existsSync(file('control.sock')) && !existsSync(file('ghostport.pid')))
  assert.deepEqual(receivers.map(isAlive), [false, false])
  await bindBoth(port)
})
