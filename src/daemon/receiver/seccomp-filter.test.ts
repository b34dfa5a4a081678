/** The filters on a real process: what is refused from inside, and that a receiver's own work goes on. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { forbidIoUring } from '../../system/seccomp.ts'
import { architectures, type SystemCall } from '../../system/seccomp-numbers.ts'
import { receiverFilter } from './seccomp-filter.ts'

const PROGRAM = fileURLToPath(new URL('../../../test/support/confined.ts', import.meta.url))
const skip = (process.platform !== 'linux' || process.arch !== 'x64') && 'the attempts are numbered for x86-64'

/** As who runs nothing else, where this process may choose: the kernel lets root have any number of processes. */
const OWN_UID = 60_999

async function confined(words: readonly string[] = [], uid?: number): Promise<Record<string, unknown>> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const child = spawn(process.execPath, ['--conditions=ghostport-source', PROGRAM, ...words], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
    timeout: 30_000,
  })
  assert.ok(child.stdout && child.stderr)
  const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  socket.close()
  assert.equal(status, 0, out + error)
  return Object.assign(
    {},
    ...out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  )
}

describe('a confined receiver', { skip }, () => {
  it('is not made where an io_uring is open', async () => {
    const { confined: answer } = await confined().catch(({ message }) => ({ confined: message }))
    // Kernels without io_uring have none to find.
    if (answer !== true) assert.match(String(answer), /it has an io_uring/)
  })

  it('is refused all that it has no business with, and goes on with its own', async () => {
    const forbidden = forbidIoUring()
    assert.ok(forbidden.ok, forbidden.ok ? '' : forbidden.failure.detail)
    for (const words of [['--poll'], ['--poll', '--accepts'], []]) {
      const { limited, confined: done, came, memory, shared, stacks, ...work } = await confined(words)
      assert.equal(limited, true)
      assert.equal(done, true)
      const wrong = Object.entries(came as Record<string, string>).filter(([, how]) => how !== 'EPERM')
      assert.deepEqual(wrong, [])
      assert.deepEqual([memory, shared, stacks], ['ENOMEM', 'ENOMEM', 'ENOMEM'])
      assert.deepEqual(work, {
        made: 3_000_000,
        digest: createHmac('sha256', 'key').update('x').digest('hex').slice(0, 8),
        time: 24,
        scheduler: 0,
      })
    }
  })
})

describe('a receiver that the kernel cannot confine', { skip }, () => {
  it('can start no process that would outlive it, and take no more descriptors than a few', async () => {
    const uid = process.getuid?.() === 0 ? OWN_UID : undefined
    assert.deepEqual(await confined(['--unconfined'], uid), { limited: true, descriptors: 'EMFILE', fork: 'EAGAIN' })
  })
})

describe('the program', () => {
  for (const [name, architecture] of Object.entries(architectures))
    it(`${name}: each jump stays inside, and each way ends in a verdict`, () => {
      const program = receiverFilter(architecture, { captureSockets: [3, 5], waitsBy: 'events', pid: 7 })
      for (const [i, { code, jt, jf }] of program.entries())
        if ((code & 0x07) === 0x05) assert.ok(i + 1 + Math.max(jt, jf) < program.length, `instruction ${i}`)
      assert.equal(program.at(-1)?.code, 0x06)
      assert.ok(program.length < 4096)
    })

  it('names the same calls on each architecture', () => {
    const [first, ...others] = Object.values(architectures)
    const onlyThere: readonly SystemCall[] = ['poll', 'time', 'epoll_wait', 'riscv_flush_icache']
    for (const { numbers } of others)
      for (const [call, number] of Object.entries(first?.numbers ?? {}))
        if (!onlyThere.includes(call as SystemCall))
          assert.equal(typeof numbers[call as SystemCall], typeof number, call)
  })
})
