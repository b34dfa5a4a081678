/** The client of etcd against the real one, over TLS, with users and passwords. It says why something is refused. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { monotonic } from '../../src/clock.ts'
import type { NodeName } from '../../src/config/server/cluster-settings.ts'
import type { EtcdAccess } from '../../src/etcd/call.ts'
import { type Claimed, Claims } from '../../src/etcd/claims.ts'
import { openEtcd } from '../../src/etcd/etcd.ts'
import { RecordWrites } from '../../src/etcd/record-writes.ts'
import { PrefixWatch } from '../../src/etcd/watch.ts'
import type { ReplayDigest } from '../../src/packet/replay-digest.ts'
import { milliseconds, type Port, seconds } from '../../src/units.ts'
import { freePort } from '../support/secured-etcd.ts'
import { makeAuthority } from '../support/tls-certificate.ts'

const LIMIT = milliseconds(3000)
const NOBODY = { login: undefined } as unknown as Partial<EtcdAccess>
const PLAIN = { tls: undefined } as unknown as Partial<EtcdAccess>

describe('etcd over TLS, with users', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-etcd-'))
  const ours = makeAuthority('ours')
  const others = makeAuthority('others')
  let clientPort: Port
  let peerPort: Port
  let etcd: ChildProcess | undefined
  let claimed = 0

  before(async () => {
    ;[clientPort, peerPort] = [await freePort(), await freePort()]
    const { cert, key } = ours.issue(['IP:127.0.0.1', 'DNS:localhost'])
    for (const [name, text] of [
      ['server.pem', cert],
      ['server.key', key],
      ['ca.pem', ours.cert],
    ] as const)
      writeFileSync(join(folder, name), text, { mode: 0o600 })
    await start()
    for (const words of [
      ['user', 'add', 'root:for tests'],
      ['user', 'grant-role', 'root', 'root'],
      ['role', 'add', 'front'],
      ['role', 'grant-permission', 'front', '--prefix=true', 'readwrite', 'ghostport/front'],
      ['user', 'add', 'spa:a password'],
      ['user', 'grant-role', 'spa', 'front'],
      ['auth', 'enable'],
    ])
      etcdctl(words)
  })
  after(async () => {
    await stop()
    rmSync(folder, { recursive: true })
  })

  async function start(): Promise<void> {
    const at = (scheme: string, one: number): string => `${scheme}://127.0.0.1:${one}`
    etcd = spawn(
      'etcd',
      [
        ...['--name', 'm1', '--data-dir', join(folder, 'data'), '--logger', 'zap', '--log-level', 'error'],
        ...['--listen-client-urls', at('https', clientPort), '--advertise-client-urls', at('https', clientPort)],
        ...['--listen-peer-urls', at('http', peerPort), '--initial-advertise-peer-urls', at('http', peerPort)],
        ...['--initial-cluster', `m1=${at('http', peerPort)}`, '--enable-grpc-gateway=false'],
        ...['--cert-file', join(folder, 'server.pem'), '--key-file', join(folder, 'server.key')],
      ],
      { stdio: 'ignore' },
    )
    for (let i = 0; i < 100; i++) {
      const answer = await openEtcd(access(NOBODY)).ask('KV/Range', {}, LIMIT)
      if (answer.kind !== 'silence') return
      await delay(100)
    }
    assert.fail('etcd does not start')
  }

  async function stop(): Promise<void> {
    const ended = new Promise((resolve) => etcd?.once('exit', resolve))
    etcd?.kill('SIGKILL')
    await ended
  }

  function etcdctl(words: readonly string[]): void {
    const common = ['--endpoints', `https://127.0.0.1:${clientPort}`, '--cacert', join(folder, 'ca.pem')]
    const { status, stderr } = spawnSync('etcdctl', [...common, ...words], {
      env: { ...process.env, ETCDCTL_API: '3' },
      encoding: 'utf8',
    })
    assert.equal(status, 0, `${words.join(' ')}: ${stderr}`)
  }

  function access(change: Partial<EtcdAccess> = {}): EtcdAccess {
    return {
      members: [{ host: '127.0.0.1', port: clientPort }],
      tls: { authorities: ours.cert },
      login: { user: 'spa', password: 'a password' },
      ...change,
    }
  }

  function claims(change: Partial<EtcdAccess> = {}, cluster = 'front') {
    const clocks = { monotonic, wall: () => milliseconds(Date.now()) }
    const node = 'web-1' as NodeName
    return new Claims({
      ...{ etcd: openEtcd(access(change)), cluster, node, life: seconds(60), past: undefined, clocks },
      onPast: () => {},
    })
  }
  const digest = (n: number) => Buffer.alloc(32, n).toString('base64').replace('=', '') as ReplayDigest
  async function claim(made = claims(), n = ++claimed): Promise<Claimed> {
    return await made.claim(digest(n), LIMIT)
  }

  it('is first once', async () => {
    assert.equal(await claim(claims(), 100), 'first')
    assert.deepEqual(await claim(claims(), 100), { usedAt: 'web-1' })
  })

  it('logs in again when etcd has forgotten the login', async () => {
    const made = claims()
    assert.equal(await claim(made), 'first')
    await stop()
    await start()
    assert.equal(await claim(made), 'first')
  })

  for (const [what, change, cluster, why] of [
    ['a wrong password', { login: { user: 'spa', password: 'another' } }, 'front', /authentication failed/],
    ['an unknown user', { login: { user: 'nobody', password: 'a' } }, 'front', /authentication failed/],
    ['no user', NOBODY, 'front', /user name is empty/],
    ['a cluster that its user may not change', {}, 'back', /permission denied/],
    ['another authority', { tls: { authorities: others.cert } }, 'front', /certificate|issuer/],
    ['plain HTTP', PLAIN, 'front', /./],
  ] as const)
    it(`is unknown with ${what}, and says why`, async () => {
      const answer = await claim(claims(change as Partial<EtcdAccess>, cluster))
      assert.ok(typeof answer === 'object' && 'unknown' in answer, JSON.stringify(answer))
      assert.match(answer.unknown, why)
      assert.doesNotMatch(answer.unknown, /a password/)
    })

  it('tells what is below a prefix, in the order of its sections, and then each change', async (t) => {
    const { put, remove, told, until, go } = followed(t)
    assert.equal(await put('b/1', 'one', 60), undefined)
    assert.equal(await put('a/2', 'two'), undefined)
    go()
    await until('following')
    assert.deepEqual(told, ['listing', 'b/1=one', 'a/2=two', 'listed', 'following'])
    await put('a/3', 'three', 60)
    await remove('b/1')
    await until('b/1 removed')
    assert.deepEqual(told.slice(5), ['a/3=three', 'b/1 removed'])
    await remove('a/2')
    await remove('a/3')
  })

  it('misses nothing while etcd is away, and lists again what etcd has compacted', async (t) => {
    const { put, remove, told, until, halt, go } = followed(t)
    go()
    await until('following')
    await stop()
    await until(/^cut/)
    await start()
    await put('a/4', 'four', 60)
    await until('a/4=four')
    assert.equal(told.filter((it) => it === 'listing').length, 1, told.join())

    await halt()
    const again = told.length
    await put('a/5', 'five', 60)
    await remove('a/4')
    const answer = await openEtcd(access()).ask('KV/Range', { key: b64('ghostport/front/used/x') }, LIMIT)
    assert.equal(answer.kind, 'answer')
    const { header } = answer.value as { readonly header: { readonly revision: string } }
    etcdctl(['--user', 'root:for tests', 'compact', header.revision])
    go()
    await until('listed', again)
    await until('following', told.indexOf('listed', again))
    // etcd says that it follows before it looks.
    assert.deepEqual(told.slice(again), ['following', 'listing', 'a/5=five', 'listed', 'following'])
    await remove('a/5')
  })

  it('takes what has happened in a long pause, and follows only then', async (t) => {
    const { told, until, put, go, halt } = followed(t, 'front-pause')
    go()
    await until('following')
    await halt()
    const from = told.length
    // More than one message may have, in fewer changes than etcd tells at once.
    const long = 'x'.repeat(8000)
    await Promise.all(Array.from({ length: 900 }, (_, i) => put(`a/${i}`, long)))
    await put('b/mark/1', 'the newest')
    go()
    await until('following', from)
    const since = told.slice(from)
    assert.equal(since.indexOf('following') > since.indexOf('b/mark/1=the newest'), true, since.at(-1) ?? '')
    assert.deepEqual(new Set(since.filter((one) => one.startsWith('a/'))).size, 900)
    assert.deepEqual(
      since.filter((one) => /^(?:listing|cut)/.test(one)),
      [],
    )
  })

  it('lists the first keys of a section that has too many, and all of the others', async (t) => {
    const { told, until, put, go } = followed(t, 'front-many')
    await Promise.all(Array.from({ length: 402 }, (_, i) => put(`a/${i}`, 'one')))
    await put('b/1', 'whole')
    await put('c/1', 'means nothing without all of a')
    go()
    await until('following')
    assert.deepEqual([told[0], told[1], told.at(-2)], ['listing', 'b/1=whole', 'listed a/ c/'])
    assert.equal(told.filter((one) => one.startsWith('a/')).length, 400)
    assert.deepEqual(
      told.filter((one) => one.startsWith('c/')),
      [],
    )
  })

  it('has no list without all keys of a section that must be whole', async (t) => {
    const { until, put, go } = followed(t, 'front-whole')
    await Promise.all(Array.from({ length: 1001 }, (_, i) => put(`b/${i}`, 'one')))
    go()
    await until('cut: more than 1000 records b/')
  })

  it('says why nothing is told', async (t) => {
    const { until, go } = followed(t, 'back')
    go()
    await until(/^cut: .*permission denied/)
  })

  const b64 = (text: string): string => Buffer.from(text).toString('base64')

  /** Follows `ghostport/CLUSTER/records/`; what it tells is a list of words. */
  function followed(t: TestContext, cluster = 'front') {
    const etcd = openEtcd(access())
    const prefix = `ghostport/${cluster}/records/`
    const told: string[] = []
    const watch = new PrefixWatch({
      ...{ etcd, prefix, landmarks: 'b/mark/' },
      sections: [
        { name: 'b/', most: 1000, isWhole: true },
        { name: 'a/', most: 400 },
        { name: 'c/', most: 10, unlessShort: 'a/' },
      ],
      events: {
        onListing: () => told.push('listing'),
        onListed: (short) => told.push(['listed', ...short].join(' ')),
        onFollowing: () => told.push('following'),
        onCut: (why) => told.push(`cut: ${why}`),
        onChanges: (changes) => {
          for (const { key, value } of changes)
            told.push(value === undefined ? `${key} removed` : `${key}=${Buffer.from(value, 'base64')}`)
        },
      },
    })
    let end = new AbortController()
    let run: Promise<void> | undefined
    const halt = async (): Promise<void> => {
      end.abort()
      await run
    }
    t.after(halt)
    const writes = new RecordWrites(etcd, { monotonic, wall: () => milliseconds(Date.now()) })
    return {
      ...{ told, halt },
      go(): void {
        end = new AbortController()
        run = watch.run(end.signal)
      },
      put: (key: string, value: string, life?: number) =>
        writes.put({ key: `${prefix}${key}`, value: b64(value), ...(life && { life: seconds(life) }) }, LIMIT),
      remove: (key: string) => writes.remove(`${prefix}${key}`, LIMIT),
      async until(wanted: string | RegExp, from = 0): Promise<void> {
        const isIt = (one: string): boolean => (typeof wanted === 'string' ? one === wanted : wanted.test(one))
        for (let i = 0; i < 600 && !told.slice(from).some(isIt); i++) await delay(50)
        assert.ok(told.slice(from).some(isIt), `${wanted}: ${told.join(', ')}`)
      },
    }
  }
})
