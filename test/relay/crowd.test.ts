/**
 * A relay under `ulimit -n 1024`. Strangers, and then a key holder, open and hold as many connections as they can. The
 * other key holder still gets in, the log and `status` report what was refused, and memory does not grow.
 *
 *   127.1.0.1, 127.1.0.2, …  strangers
 *   127.0.0.2                greedy, with a grant of stanza greedy
 *   127.0.0.3                the owner, with a grant of stanza owner
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { treeFor } from '../support/copied-tree.ts'
import { copiedGhostport, eventsIn, ghostportCommand, stanza, type TestKeys } from '../support/daemon.ts'
import { writeRelayConfiguration } from '../support/relay-configuration.ts'

const NOBODY = 65_534
const DESCRIPTORS = 1024
/** (1024 − 128) / 2; strangers get half of it. */
const PLACES = 448
const GREEDY = '127.0.0.2'
const OWNER = '127.0.0.3'
const greedyKeys = { key: 'greedy key for tests', hmac: 'greedy hmac for tests' }
const ownerKeys = { key: 'owner key for tests', hmac: 'owner hmac for tests' }

describe('a relay that may have 1024 descriptors', () => {
  const isRoot = process.getuid?.() === 0
  const tree = treeFor({ uid: isRoot ? NOBODY : (process.getuid?.() ?? NOBODY), gid: NOBODY })
  const directory = mkdtempSync(join(tmpdir(), 'ghostport-crowd-'))
  const as = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'] : []
  const servers: Server[] = []
  const sockets = new Set<Socket>()
  let daemon: ChildProcess
  let files: readonly string[] = []
  let log = ''
  let [publicPort, shutPort, spaPort, ssh] = [0, 0, 0, 0]

  const events = () => eventsIn(log)
  const listening = async (server: Server): Promise<number> => {
    await new Promise<void>((done) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, done))
    return (server.address() as AddressInfo).port
  }
  const greeter = (banner: string): Promise<number> => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write(banner)
    })
    servers.push(server)
    return listening(server)
  }
  const freePort = async (): Promise<number> => {
    const server = createServer()
    const port = await listening(server)
    await new Promise((done) => server.close(done))
    return port
  }
  const start = (descriptors: number, ...argv: readonly string[]): ChildProcess =>
    spawn(
      'sh',
      [
        ...['-c', 'ulimit -n "$1"; shift; exec "$@"', 'sh', `${descriptors}`],
        ...as,
        ...copiedGhostport(tree, 'serve', ...files),
        ...argv,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )

  before(async () => {
    const web = await greeter('web')
    ssh = await greeter('ssh')
    ;[publicPort, shutPort, spaPort] = [await freePort(), await freePort(), await freePort()]
    const settings = [
      `RELAY ${publicPort} decoy=127.0.0.1:${web}`,
      `RELAY ${shutPort} decoy=reset`,
      `SPA_PORTS ${spaPort}`,
      'ENABLE_IPT_LOCAL_NAT Y',
    ]
    const lines = ['FW_ACCESS_TIMEOUT 120', `NAT_TARGETS local:${ssh}`]
    const stanzas = [stanza(['NAME greedy', ...lines], greedyKeys), stanza(['NAME owner', ...lines], ownerKeys)]
    files = writeRelayConfiguration(directory, settings, stanzas.join(''), isRoot ? NOBODY : undefined)
    daemon = start(DESCRIPTORS)
    for (const stream of [daemon.stdout, daemon.stderr]) stream?.setEncoding('utf8').on('data', (text) => (log += text))
    for (const deadline = performance.now() + 20_000; !log.includes('"event":"ready"'); await delay(10))
      assert.ok(performance.now() < deadline && daemon.exitCode === null, log)
    for (const port of [publicPort, shutPort]) {
      knock(greedyKeys, GREEDY, port)
      knock(ownerKeys, OWNER, port)
    }
    for (const deadline = performance.now() + 10_000; events().filter(({ event }) => event === 'knock').length < 4; )
      await delay(10).then(() => assert.ok(performance.now() < deadline, log))
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    for (const deadline = performance.now() + 10_000; ; await delay(20)) {
      const { granted, strangers } = status().relay
      if (granted + strangers === 0) break
      assert.ok(performance.now() < deadline, 'the places are given back')
    }
  })
  after(async () => {
    for (const server of servers) server.close()
    if (daemon !== undefined && daemon.exitCode === null) {
      daemon.kill('SIGTERM')
      await once(daemon, 'exit')
    }
    rmSync(directory, { recursive: true, force: true })
    tree[Symbol.dispose]()
  })

  function knock({ key, hmac }: Required<TestKeys>, source: string, port: number): void {
    const request = ['-A', `tcp/${ssh}`, '--nat-local', '--nat-port', String(port), '-a', source]
    const [node, ...words] = ghostportCommand(
      ...['knock', '--no-rc-file', '-D', '127.0.0.1', '-p', String(spaPort)],
      ...['--key-rijndael', key, '--key-hmac', hmac, ...request],
    )
    const knocked = spawnSync(node ?? '', words, { encoding: 'utf8' })
    assert.equal(knocked.status, 0, knocked.stderr)
  }

  interface Relay {
    granted: number
    strangers: number
    limits: { connections: number; strangers: number; strangersPerSource: number }
    refused: { granted: number; strangers: number }
  }
  /** Asked by the user that it runs as: other users should not trust a socket in that user's folder. */
  function status(): { relay: Relay } {
    const socket = join(directory, 'state/control.sock')
    const [file = '', ...words] = [...as, ...copiedGhostport(tree, 'status', '--json', '-s', socket)]
    const asked = spawnSync(file, words, { encoding: 'utf8', cwd: '/' })
    assert.equal(asked.status, 0, asked.stderr)
    return JSON.parse(asked.stdout)
  }

  /** Connects, and keeps the connections that answer. @returns the first words, or how it was refused. */
  const hold = (from: string, port: number): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, localAddress: from })
      sockets.add(socket)
      const gone = (how: string): void => {
        sockets.delete(socket)
        resolve(how)
      }
      socket.once('data', (data) => resolve(data.toString()))
      socket.once('end', () => gone('closed'))
      socket.on('error', (error: NodeJS.ErrnoException) => gone(error.code ?? 'error'))
    })
  /** Some hundreds at a time: the relay never sees what the kernel's own queue drops. */
  const crowd = async (size: number, from: (n: number) => string, port = publicPort): Promise<string[]> => {
    const heard: string[] = []
    while (heard.length < size) {
      const batch = Array.from({ length: Math.min(300, size - heard.length) }, (_, n) => from(heard.length + n))
      heard.push(...(await Promise.all(batch.map((source) => hold(source, port)))))
    }
    return heard
  }
  const stranger = (n: number): string => `127.1.${n >> 8}.${n & 255 || 1}`
  const how = (heard: readonly string[], words: string): number => heard.filter((word) => word === words).length
  /** In kB. */
  const memory = (): number =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1])

  it('has as many places as it has descriptors for, and says so at the start', () => {
    assert.deepEqual(status().relay.limits, { connections: PLACES, strangers: PLACES / 2, strangersPerSource: 14 })
    const notice = events().find(({ event, text }) => event === 'notice' && /places/.test(String(text)))
    assert.match(String(notice?.['text']), /places for 448 connections: this process may have 1024 descriptors open/)
  })

  it('strangers hold all that they can, and the owner gets in', async () => {
    const heard = await crowd(1200, stranger)
    assert.equal(how(heard, 'web'), PLACES / 2)
    assert.equal(how(heard, 'ECONNRESET'), 1200 - PLACES / 2)
    for (let i = 0; i < 20; i++) assert.equal(await hold(OWNER, publicPort), 'ssh')
    const { relay } = status()
    assert.deepEqual([relay.strangers, relay.granted], [PLACES / 2, 20])
    assert.equal(relay.refused.strangers, 1200 - PLACES / 2)
    const told = events().filter(({ event, trouble }) => event === 'relay' && trouble === 'strangers full')
    assert.ok(told.length >= 1 && told.length <= 3, `${told.length} lines`)
  })

  it('one address of strangers has its share only', async () => {
    assert.equal(how(await crowd(100, () => '127.1.0.1'), 'web'), 14)
    assert.equal(await hold('127.1.0.2', publicPort), 'web')
  })

  it('a key holder opens thousands beside them, and the owner gets in', async () => {
    await crowd(1200, stranger)
    const heard = await crowd(3000, () => GREEDY)
    assert.equal(how(heard, 'ssh') + how(heard, 'ECONNRESET'), 3000)
    assert.ok(how(heard, 'ssh') >= 10)
    for (let i = 0; i < 10; i++) assert.equal(await hold(OWNER, publicPort), 'ssh')
    assert.equal(status().relay.refused.granted, how(heard, 'ECONNRESET'))
    const told = events().filter(({ event, trouble }) => event === 'relay' && trouble === 'grants full')
    assert.ok(told.length >= 1 && told.length <= 3, `${told.length} lines`)
    assert.match(String(told[0]?.['detail']), /127\.0\.0\.2 has a grant of stanza greedy/)
    assert.equal(daemon.exitCode, null)
  })

  it('a storm against a shut port keeps nobody with a grant out', async () => {
    const storm = crowd(3000, stranger, shutPort)
    const owner = await crowd(40, () => OWNER, shutPort)
    assert.equal(how(owner, 'ssh'), 40)
    assert.equal(how(await storm, 'ECONNRESET'), 3000)
  })

  it('memory stays flat however often they come', async () => {
    const letGo = async (): Promise<void> => {
      await crowd(1000, () => GREEDY)
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    }
    for (let round = 0; round < 3; round++) await letGo()
    const before = memory()
    for (let round = 0; round < 12; round++) await letGo()
    assert.ok(memory() < before + 40_000, `${before} kB, then ${memory()} kB`)
    assert.equal(await hold(OWNER, publicPort), 'ssh')
  })

  it('a limit that leaves no room is refused, and before a start too', async () => {
    const other = start(100, '--exit-parse-config')
    let said = ''
    other.stderr?.setEncoding('utf8').on('data', (text) => (said += text))
    other.stdout?.setEncoding('utf8').on('data', (text) => (said += text))
    assert.deepEqual(await once(other, 'exit'), [69, null], said)
    assert.match(said, /may have only 100 open \(ulimit -n\).*at least 160.*\[FIREWALL_UNAVAILABLE\]/)
  })
})
