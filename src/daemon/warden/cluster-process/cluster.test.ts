/** The warden’s side against a cluster process that is slow, dead, or in the hands of an attacker. */
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough, Writable } from 'node:stream'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterConfig } from '../../../config/server/cluster-settings.ts'
import { MemoryLog } from '../../../log.ts'
import type { ReplayDigest } from '../../../packet/replay-digest.ts'
import { milliseconds, port, seconds } from '../../../units.ts'
import { type FromCluster, parseToCluster, type ToCluster } from '../../link/cluster-protocol.ts'
import type { SpawnedReceiver } from '../receiver-process/spawn.ts'
import { Cluster } from './cluster.ts'
import { ClusterLimits } from './limits.ts'
import { PastFile } from './past-file.ts'

const digest = (n: number) => Buffer.alloc(32, n).toString('base64').replace('=', '') as ReplayDigest

/** A process of the other side, in the hands of the test. */
class Puppet extends EventEmitter {
  pid = 4711
  exitCode: number | null = null
  signalCode: NodeJS.Signals | null = null
  readonly got: ToCluster[] = []
  readonly channel: Duplex
  readonly #out: PassThrough
  wasKilled = false
  isDeaf = false

  constructor() {
    super()
    this.#out = new PassThrough()
    const onMessage = (line: string): void => {
      const message = parseToCluster(JSON.parse(line))
      assert.ok(message, `the warden sent ${line}`)
      this.got.push(message)
      this.emit('message', message)
    }
    this.channel = Duplex.from({
      readable: this.#out,
      writable: new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          if (this.isDeaf) return
          for (const line of chunk.toString().split('\n')) if (line !== '') onMessage(line)
          done()
        },
      }),
    })
  }

  says(value: unknown): void {
    this.#out.write(typeof value === 'string' ? value : `${JSON.stringify(value)}\n`)
  }

  kill(): boolean {
    this.wasKilled = true
    this.die('SIGKILL')
    return true
  }

  die(signal: NodeJS.Signals): void {
    if (this.signalCode !== null) return
    this.signalCode = signal
    setImmediate(() => this.emit('exit', null, signal))
  }
}

function start(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-cluster-'))
  const log = new MemoryLog()
  const puppets: Puppet[] = []
  const config = {
    ...{ members: [{ host: '10.0.0.1', port: port(2379) }], secure: false, cluster: 'front', node: 'web-1' },
    timeout: milliseconds(150),
  } as unknown as ClusterConfig
  const cluster = new Cluster({
    ...{ config, secrets: {}, life: seconds(840), log, past: new PastFile(join(folder, 'past'), config.cluster, log) },
    spawn: () => {
      const puppet = new Puppet()
      puppets.push(puppet)
      return { child: puppet, channel: puppet.channel, errors: new PassThrough() } as unknown as SpawnedReceiver
    },
  })
  cluster.start()
  t.after(() => {
    cluster.stop()
    rmSync(folder, { recursive: true })
  })
  const puppet = (): Puppet => puppets.at(-1) as Puppet
  return { cluster, puppet, puppets, log }
}

async function asked(puppet: Puppet): Promise<Extract<ToCluster, { type: 'claim' }>> {
  for (let i = 0; i < 200; i++) {
    const found = puppet.got.find((message) => message.type === 'claim')
    if (found?.type === 'claim') return found
    await delay(5)
  }
  return assert.fail('nothing was asked')
}

describe('the cluster process', () => {
  it('gets its configuration first, and claims that came before it', async (t) => {
    const { cluster, puppet } = start(t)
    const [claim] = cluster.claim([digest(1)])
    puppet().says({ type: 'started' })
    const { claims } = await asked(puppet())
    assert.deepEqual(
      puppet().got.map(({ type }) => type),
      ['configure', 'claim'],
    )
    puppet().says({ type: 'answers', answers: [{ id: claims[0]?.id, first: 'yes' }] })
    assert.equal(await claim, 'first')
  })

  it('is told at once of what is claimed while this process will be busy', async (t) => {
    const { cluster, puppet } = start(t)
    puppet().says({ type: 'started' })
    for (let i = 0; i < 200 && puppet().got.length === 0; i++) await delay(5)
    void cluster.claim([digest(1), digest(2)], 'at once')
    assert.equal(puppet().got.filter(({ type }) => type === 'claim').length, 1)
    cluster.claim([digest(3)], 'soon')
    assert.equal(puppet().got.filter(({ type }) => type === 'claim').length, 1)
    await delay(1)
    assert.equal(puppet().got.filter(({ type }) => type === 'claim').length, 2)
  })

  it('that says nothing leaves no knock without an answer', async (t) => {
    const { cluster, puppet } = start(t)
    puppet().says({ type: 'started' })
    assert.deepEqual(await cluster.claim([digest(1)])[0], { unknown: 'no answer in time' })
    // Its late answer is for nobody.
    puppet().says({ type: 'answers', answers: [{ id: 1, first: 'yes' }] })
    await delay(20)
    assert.deepEqual(cluster.status().first, 0)
  })

  it('that dies loses the claims that it had, and another one is started', async (t) => {
    const { cluster, puppet, puppets } = start(t)
    puppet().says({ type: 'started' })
    const [claim] = cluster.claim([digest(1)])
    await asked(puppet())
    puppet().die('SIGSEGV')
    assert.deepEqual(await claim, { unknown: 'the cluster process does not run' })
    for (let i = 0; i < 100 && puppets.length < 2; i++) await delay(10)
    puppet().says({ type: 'started' })
    const [next] = cluster.claim([digest(2)])
    const { claims } = await asked(puppet())
    puppet().says({ type: 'answers', answers: [{ id: claims[0]?.id, usedAt: 'web-2' }] })
    assert.deepEqual(await next, { usedAt: 'web-2' })
  })

  it('can answer for no claim but those that it was asked about, and each once', async (t) => {
    const { cluster, puppet } = start(t)
    puppet().says({ type: 'started' })
    const [claim] = cluster.claim([digest(1)])
    const { claims } = await asked(puppet())
    const id = claims[0]?.id ?? 0
    puppet().says({
      type: 'answers',
      answers: [
        { id: id + 1, first: 'yes' },
        { id, usedAt: 'web-2' },
        { id, first: 'yes' },
      ],
    })
    assert.deepEqual(await claim, { usedAt: 'web-2' })
    assert.deepEqual([cluster.status().first, cluster.status().usedElsewhere], [0, 1])
  })

  for (const [what, said] of [
    ['a message that is none', { type: 'open', port: 22, source: '192.0.2.1' }],
    ['a grant in an answer', { type: 'answers', answers: [{ id: 1, first: 'yes', grant: 'tcp/22' }] }],
    ['an answer of another kind', { type: 'answers', answers: [{ id: 1, first: 'maybe' }] }],
    ['a reason with control characters', { type: 'health', why: 'a\u001b[2Jb' }],
    ['no JSON', '{"type":\n'],
    ['an endless line', 'x'.repeat(70_000)],
  ] as const)
    it(`is ended for ${what}`, async (t) => {
      const { puppet, log } = start(t)
      const first = puppet()
      first.says({ type: 'started' })
      first.says(said)
      for (let i = 0; i < 100 && !first.wasKilled; i++) await delay(5)
      assert.ok(first.wasKilled)
      for (let i = 0; i < 100 && !log.records.some(({ event }) => event === 'cluster lost'); i++) await delay(5)
      assert.ok(log.records.some(({ event }) => event === 'cluster lost'))
    })

  it('is ended if it starts twice: each start is answered with all certificates', async (t) => {
    const { puppet } = start(t)
    const first = puppet()
    for (let i = 0; i < 1000; i++) first.says({ type: 'started' })
    for (let i = 0; i < 100 && !first.wasKilled; i++) await delay(5)
    assert.ok(first.wasKilled)
    assert.equal(first.got.length, 1)
  })

  it('is ended if it never reads', async (t) => {
    const { cluster, puppet } = start(t)
    const first = puppet()
    first.says({ type: 'started' })
    for (let i = 0; i < 100 && first.got.length === 0; i++) await delay(5)
    first.isDeaf = true
    for (let i = 0; i < 20 && !first.wasKilled; i++)
      cluster.renew({ tls: { authorities: `${i}`.padEnd(1024 * 1024, 'x') } })
    assert.ok(first.wasKilled)
  })

  it('fills no log with how etcd is', async (t) => {
    const { puppet, log } = start(t)
    puppet().says({ type: 'started' })
    for (let i = 0; i < 1000; i++) puppet().says({ type: 'health', why: `reason ${i}` })
    await delay(100)
    const lines = log.records.filter(({ event }) => event === 'cluster unusable')
    assert.ok(lines.length > 0 && lines.length < 50, `${lines.length}`)
  })

  it('has its last state in the log, however many came before it', async (t) => {
    const { puppet, log } = start(t)
    puppet().says({ type: 'started' })
    for (let i = 0; i < 1000; i++) puppet().says({ type: 'health', why: `reason ${i}` })
    puppet().says({ type: 'health', took: milliseconds(3) })
    const told = () => log.records.find(({ event }) => event === 'cluster usable')
    for (let waited = 0; told() === undefined && waited < 20_000; waited += 50) await delay(50)
    const fields = told()?.fields
    assert.equal(fields?.['tookMs'], 3)
    assert.ok(Number(fields['leftOut']) > 900, `${fields['leftOut']}`)
  })

  it('is not asked for more than it can have', async (t) => {
    const { cluster, puppet } = start(t)
    puppet().says({ type: 'started' })
    const many = Array.from({ length: 20_001 }, () => digest(1))
    const answers = await Promise.all(cluster.claim(many))
    assert.ok(answers.every((answer) => typeof answer === 'object' && 'unknown' in answer))
  })
})

describe('the limits of a cluster process', () => {
  it('are that it says something each minute', () => {
    const limits = new ClusterLimits(milliseconds(1000))
    assert.equal(limits.onMessage({ type: 'started' }, milliseconds(1000)), undefined)
    assert.equal(limits.onSilence(milliseconds(61_000)), undefined)
    assert.ok(limits.onSilence(milliseconds(61_001)))
    limits.onMessage({ type: 'health', why: 'no quorum' }, milliseconds(61_000))
    assert.equal(limits.onSilence(milliseconds(121_000)), undefined)
  })

  it('are for all that it says, and for how its records are followed', () => {
    const count = (message: FromCluster): number => {
      const [limits, now] = [new ClusterLimits(milliseconds(0)), milliseconds(0)]
      limits.onMessage({ type: 'started' }, now)
      for (let taken = 0; ; taken++) if (limits.onMessage(message, now) !== undefined) return taken
    }
    assert.ok(count({ type: 'health', took: milliseconds(1) }) < 200_001)
    assert.ok(count({ type: 'records', state: 'following' }) < 201)
  })
})
