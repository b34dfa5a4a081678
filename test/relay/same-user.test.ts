/**
 * A relay without root: warden and receiver have the same user. Another process of that user attacks both. What Linux
 * can prevent is prevented. What it cannot is in docs/RELAY.md, and shown here too.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { treeFor } from '../support/copied-tree.ts'
import { copiedGhostport, eventsIn, stanza } from '../support/daemon.ts'
import { writeRelayConfiguration } from '../support/relay-configuration.ts'

/** An ordinary user that runs nothing else. */
const USER = process.getuid?.() === 0 ? 54_321 : (process.getuid?.() ?? 0)
const as = process.getuid?.() === 0 ? ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'] : []

describe('a relay and another process of its user', () => {
  const tree = treeFor({ uid: USER, gid: USER })
  const directory = mkdtempSync(join(tmpdir(), 'ghostport-same-user-'))
  let daemon: ChildProcess
  let log = ''
  const events = () => eventsIn(log)
  const readyEvents = () => events().filter(({ event }) => event === 'ready')
  const both = () => {
    const last = readyEvents().at(-1)
    return { warden: Number(last?.['warden']), receiver: Number(last?.['receiver']) }
  }
  const readyAgain = async (times: number): Promise<void> => {
    for (const deadline = performance.now() + 20_000; readyEvents().length < times; await delay(10))
      assert.ok(performance.now() < deadline && daemon.exitCode === null, log)
  }
  /** Runs a program as the same user. */
  const attack = (...argv: readonly string[]) => {
    const [program = '', ...words] = [...as, ...argv]
    return spawnSync(program, words, { encoding: 'utf8', cwd: '/' })
  }
  const freePort = async (): Promise<number> => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await new Promise((done) => server.close(done))
    return port
  }

  before(async () => {
    const settings = [`RELAY ${await freePort()} decoy=reset service=127.0.0.1:22`, `SPA_PORTS ${await freePort()}`]
    const files = writeRelayConfiguration(directory, settings, stanza(), as.length > 0 ? USER : undefined)
    const [program = '', ...argv] = [...as, ...copiedGhostport(tree, 'serve', ...files)]
    daemon = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [daemon.stdout, daemon.stderr]) stream?.setEncoding('utf8').on('data', (text) => (log += text))
    await readyAgain(1)
  })
  after(async () => {
    if (daemon !== undefined && daemon.exitCode === null) {
      daemon.kill('SIGTERM')
      await once(daemon, 'exit')
    }
    rmSync(directory, { recursive: true, force: true })
    tree[Symbol.dispose]()
  })

  const status = (pid: number, task = pid): string => readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')

  it('both are that user, and the log says so', () => {
    for (const pid of Object.values(both())) assert.match(status(pid), new RegExp(`^Uid:\t${USER}\t${USER}\t`, 'm'))
    assert.ok(
      events().some(({ text }) => /it runs as this user/.test(String(text))),
      log,
    )
  })

  for (const whose of ['warden', 'receiver'] as const)
    it(`the memory of the ${whose} stays its own`, () => {
      const pid = both()[whose]
      for (const file of ['mem', 'environ', 'maps', 'auxv', 'fd/0', 'fd/4'])
        assert.notEqual(attack('sh', '-c', `exec 9< /proc/${pid}/${file}`).status, 0, file)
      // PTRACE_ATTACH and PTRACE_SEIZE; the calls that gdb, and thieves of descriptors, use.
      const program = `
        const koffi = require(${JSON.stringify(join(tree.root, 'node_modules/koffi'))})
        const c = koffi.load(null)
        const ptrace = c.func('long ptrace(long, int, long, long)')
        const readMemory = c.func('long process_vm_readv(int, const void *, ulong, const void *, ulong, ulong)')
        const syscall = c.func('long syscall(long, long, long, long)')
        const pid = Number(process.argv[1])
        const places = Buffer.alloc(16)
        places.writeBigUInt64LE(0x400000n, 0)
        places.writeBigUInt64LE(8n, 8)
        const PIDFD_OPEN = 434, PIDFD_GETFD = 438
        const pidfd = Number(syscall(PIDFD_OPEN, pid, 0, 0))
        console.log(JSON.stringify([ptrace(16, pid, 0, 0), ptrace(0x4206, pid, 0, 0),
          readMemory(pid, places, 1, places, 1, 0), syscall(PIDFD_GETFD, pidfd, 4, 0), pidfd >= 0].map((it) =>
            typeof it === 'boolean' ? it : Number(it))))`
      const tried = attack(tree.node, '-e', program, `${pid}`)
      assert.equal(tried.stdout, '[-1,-1,-1,-1,true]\n', tried.stderr)
      assert.match(status(pid), /^TracerPid:\t0$/m)
    })

  it('the same attacks on an ordinary process of that user succeed: they are real', async () => {
    const [program = '', ...words] = [...as, 'sleep', '60']
    const victim = spawn(program, words, { stdio: 'ignore' })
    try {
      await delay(300)
      assert.equal(attack('sh', '-c', `exec 9< /proc/${victim.pid}/mem`).status, 0)
    } finally {
      victim.kill('SIGKILL')
    }
  })

  it('each thread of the receiver is confined', () => {
    const { receiver } = both()
    for (const task of readdirSync(`/proc/${receiver}/task`)) {
      assert.match(status(receiver, Number(task)), /^Seccomp:\t2$/m)
      assert.match(status(receiver, Number(task)), /^NoNewPrivs:\t1$/m)
    }
    assert.ok(!events().some(({ text }) => /cannot be confined/.test(String(text))), log)
  })

  it('a receiver that is killed is replaced, and so is one that is stopped', async () => {
    for (const [signal, next] of [
      ['KILL', 2],
      ['STOP', 3],
    ] as const) {
      const { receiver } = both()
      assert.equal(attack('sh', '-c', `kill -${signal} ${receiver}`).status, 0, 'the kernel lets it')
      await readyAgain(next)
      assert.notEqual(both().receiver, receiver)
    }
  })

  it('the files are that user’s: no promise is made for them', () => {
    for (const file of ['access.conf', 'state/replay.db'])
      assert.equal(attack('sh', '-c', `exec 9<> '${join(directory, file)}'`).status, 0)
  })
})
