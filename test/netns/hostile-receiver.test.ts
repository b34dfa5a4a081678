/**
 * What a receiver can get that an attacker controls: nothing that no stanza allows, and no second chance. The warden,
 * its firewall and its replay store are real; the receiver sends lines of the test.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/clock.ts'
import { connectedReceivers } from '../../src/daemon/warden/receiver-process/connect.ts'
import { receiverStarter } from '../../src/daemon/warden/receiver-process/spawn.ts'
import { type StartOptions, startWarden } from '../../src/daemon/warden/start.ts'
import { MemoryLog } from '../../src/log.ts'
import { stanza } from '../support/daemon.ts'
import { enter, type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { type ReceiverService, receiverService } from '../support/receiver-service.ts'

const PROGRAM = fileURLToPath(new URL('../support/hostile-receiver.ts', import.meta.url))

/** A knock that the stanza below allows. */
const honest = (more: object = {}, message: object = {}) => ({
  openedBy: 1,
  digest: digest(),
  fwknopDigest: digest(),
  message: {
    kind: 'access',
    random: '1234567890123456',
    username: 'mallory',
    timestamp: Math.floor(Date.now() / 1000),
    version: '3.0.0',
    source: 'packet-source',
    ports: [{ protocol: 'tcp', port: 22 }],
    ...message,
  },
  packet: { source: '10.9.0.1', sourcePort: 4321, destination: '10.9.0.2', destinationPort: 62201 },
  ...more,
})
let digests = 0
function digest(): string {
  return Buffer.alloc(32, ++digests).toString('base64').replace('=', '')
}
const knock = (value: object): string => JSON.stringify({ type: 'knock', knock: value })

for (const way of ['a child of the warden', 'a service'] as const)
  describe(`a receiver in a stranger’s hands, ${way}`, { skip: netnsUnavailable() }, () => {
    let net: Network
    let host: Host
    let leave: () => void
    let directory: string
    const services: ReceiverService[] = []

    before(async () => {
      net = await Network.create()
      host = await net.host('server')
      directory = net.directory()
      mkdirSync(join(directory, 'state'), { mode: 0o700 })
      const conf = [
        `REPLAY_DB ${join(directory, 'state/replay.db')}`,
        `CONTROL_SOCKET ${join(directory, 'state/control.sock')}`,
        'ENABLE_IPT_FORWARDING Y',
      ]
      writeFileSync(join(directory, 'fwknopd.conf'), conf.map((line) => `${line};\n`).join(''), { mode: 0o600 })
      const access = stanza([
        'OPEN_PORTS tcp/22',
        'FW_ACCESS_TIMEOUT 10',
        'MAX_FW_TIMEOUT 20',
        'NAT_TARGETS 10.9.1.2:22',
      ])
      writeFileSync(join(directory, 'access.conf'), access.replace('SOURCE ANY', 'SOURCE 10.9.0.0/24'), { mode: 0o600 })
      leave = await enter(host)
    })
    after(async () => {
      leave?.()
      for (const service of services) service.close()
      await net?.close()
    })

    /** A receiver that sends `lines` (test/support/hostile-receiver.ts), with the first capture socket. */
    function startHostile(lines: readonly string[], fds: readonly number[] = []) {
      if (way === 'a service') {
        const path = join(net.directory(), 'receiver.sock')
        services.push(receiverService(path, () => [process.execPath, PROGRAM, ...lines]))
        return connectedReceivers(path).start(fds.slice(0, 1), [])
      }
      const stdio = ['ignore', 'ignore', 'pipe', fds[0] ?? 'ignore', 'pipe'] as const
      const child = spawn(process.execPath, [PROGRAM, ...lines], { stdio: [...stdio], detached: true })
      return { child, channel: child.stdio[4] as unknown as Duplex, errors: child.stdio[2] as Readable }
    }

    /** Starts a warden, and waits for what is wanted. @returns what it logged, and how much its memory grew. */
    async function wardenUntil(
      starterFor: StartOptions['starterFor'],
      isDone: (log: MemoryLog) => boolean,
      { patience = 5000, server = 'fwknopd.conf' } = {},
    ) {
      const log = new MemoryLog()
      const source = { server: join(directory, server), access: join(directory, 'access.conf') }
      const warden = await startWarden(source, log, systemClock, { ...(starterFor && { starterFor }) })
      assert.ok(warden.ok, warden.ok ? '' : warden.failure.detail)
      const before = process.memoryUsage.rss()
      let grown = 0
      try {
        for (const deadline = performance.now() + patience; !isDone(log); await delay(5)) {
          grown = Math.max(grown, process.memoryUsage.rss() - before)
          assert.ok(performance.now() < deadline, JSON.stringify(log.records.slice(-50)))
        }
        const { grants } = await warden.value.status()
        return { log, grants: grants ?? [], grown }
      } finally {
        await warden.value.stop()
      }
    }

    /** Starts a warden whose receiver sends `lines`, and waits for a line of the log. */
    async function receive(
      lines: readonly string[],
      wanted: (record: MemoryLog['records'][number]) => boolean,
      receiversWanted = 1,
    ) {
      let receivers = 0
      const starterFor = () => ({
        separateUser: true,
        // Only the first is hostile: the next shows that the warden starts a new one.
        start: () => startHostile(receivers++ === 0 ? lines : []),
      })
      return await wardenUntil(starterFor, (log) => log.records.some(wanted) && receivers >= receiversWanted)
    }

    /** Starts a warden with one hostile receiver; those after it are real. Waits until one of these is ready. */
    async function outlive(
      lines: readonly string[],
      more: { readonly patience?: number; readonly server?: string } = {},
    ) {
      const pids: (number | undefined)[] = []
      const starterFor: typeof receiverStarter = (account) => {
        const real = receiverStarter(account)
        const start: typeof real.start = (fds, orders) => {
          const started = pids.length === 0 ? startHostile(lines, fds) : real.start(fds, orders)
          pids.push(started.child.pid)
          return started
        }
        return { separateUser: real.separateUser, start }
      }
      const isDone = ({ records }: MemoryLog): boolean =>
        records.some(({ event, fields }) => event === 'ready' && pids.indexOf(Number(fields['receiver'])) > 0)
      return await wardenUntil(starterFor, isDone, { patience: 30_000, ...more })
    }

    it('gets what a stanza gives, no longer than the stanza lets it last', async () => {
      const lines = [knock(honest({}, { timeout: 65_535 }))]
      const { grants } = await receive(lines, ({ event }) => event === 'knock')
      assert.equal(grants.length, 1)
      assert.deepEqual([grants[0]?.for, grants[0]?.open], ['10.9.0.1', ['tcp/22']])
      assert.ok((grants[0]?.secondsLeft ?? 99) <= 20)
      host.must(['nft', 'delete', 'table', 'inet', 'ghostport'])
    })

    for (const [what, chokeAt, stanzas] of [
      ['comes into force where the next receiver takes it', [2, 99], 2],
      ['is given up where the next receiver ends over it too', [2, 1, 99], 1],
    ] as const)
      it(`a configuration over which a receiver ends ${what}`, async () => {
        const log = new MemoryLog()
        const access = join(directory, 'access-reload.conf')
        writeFileSync(access, stanza(), { mode: 0o600 })
        let receivers = 0
        const start = () => startHostile(['--choke', `${chokeAt[receivers++] ?? 1}`])
        const starterFor = () => ({ separateUser: true, start })
        const source = { server: join(directory, 'fwknopd.conf'), access }
        const warden = await startWarden(source, log, systemClock, { starterFor })
        assert.ok(warden.ok, warden.ok ? '' : warden.failure.detail)
        const count = (wanted: string): number => log.records.filter(({ event }) => event === wanted).length
        const until = async (isDone: () => boolean): Promise<void> => {
          for (const deadline = performance.now() + 10_000; !isDone(); await delay(5))
            assert.ok(performance.now() < deadline, JSON.stringify(log.records))
        }
        try {
          await until(() => count('ready') === 1)
          writeFileSync(access, stanza() + stanza([], { key: 'another', hmac: 'one more' }), { mode: 0o600 })
          assert.ok(warden.value.reload().ok)
          await until(() => count('ready') === 2)
          assert.equal(receivers, chokeAt.length)
          assert.equal((await warden.value.status()).stanzas, stanzas)
          assert.deepEqual([count('reload'), count('reload refused')], stanzas === 2 ? [1, 0] : [0, 1])
          // The next reload is a new one.
          assert.ok(warden.value.reload().ok)
          await until(() => count('reload') === stanzas)
          assert.equal((await warden.value.status()).stanzas, 2)
        } finally {
          await warden.value.stop()
        }
      })

    const forbidden: [what: string, code: string, value: object][] = [
      [
        'a port that the stanza does not open',
        'ACCESS_PORT_DENIED',
        honest({}, { ports: [{ protocol: 'tcp', port: 23 }] }),
      ],
      [
        'a NAT target that the stanza does not list',
        'ACCESS_NAT_TARGET_DENIED',
        honest({}, { kind: 'natAccess', target: { host: '10.9.1.2', port: 3306 } }),
      ],
      [
        'a source that no stanza is for',
        'WARDEN_FORBIDDEN',
        honest({ packet: { ...honest().packet, source: '192.0.2.1' } }),
      ],
      ['a stanza that there is not', 'WARDEN_FORBIDDEN', honest({ openedBy: 2 })],
      ['a packet of yesterday', 'SPA_STALE', honest({}, { timestamp: Math.floor(Date.now() / 1000) - 86_400 })],
    ]
    for (const [what, code, value] of forbidden)
      it(`does not get ${what}: ${code}`, async () => {
        const { grants } = await receive([knock(value)], ({ fields }) => fields['code'] === code)
        assert.deepEqual(grants, [])
      })

    it('cannot use a digest twice', async () => {
      const value = honest()
      const { grants, log } = await receive(
        [knock(value), knock(value)],
        ({ fields }) => fields['code'] === 'SPA_REPLAYED',
      )
      assert.equal(grants.length, 1)
      assert.equal(log.records.filter(({ fields }) => fields['verdict'] === 'granted').length, 1)
      host.must(['nft', 'delete', 'table', 'inet', 'ghostport'])
    })

    it('cannot fill the log with refused knocks', async () => {
      const timestamp = Math.floor(Date.now() / 1000) - 86_400
      const lines = Array.from({ length: 400 }, () => knock(honest({}, { timestamp })))
      const { log } = await receive(lines, ({ event }) => event === 'suppressed')
      const own = log.records.filter(({ event }) => event === 'knock').length
      assert.ok(own <= 30, `${own} lines`)
      const [folded] = log.records.filter(({ event }) => event === 'suppressed')
      assert.deepEqual(folded?.fields['counts'], { SPA_STALE: 400 - own })
    })

    const note = JSON.stringify({
      type: 'refused',
      note: {
        code: 'SPA_HMAC_MISMATCH',
        detail: 'x'.repeat(400),
        source: '10.9.0.1',
        sourcePort: 1,
        destinationPort: 2,
      },
    })
    const folded = JSON.stringify({ type: 'suppressed', counts: { SPA_MALFORMED: 7 } })
    const numbers = JSON.stringify({ type: 'tally', tally: { looked: 1, dropped: 0, refused: {} } })
    const reason = JSON.stringify({ type: 'failed', code: 'INTERNAL_ERROR', detail: 'x'.repeat(400) })

    it('cannot fill the log with what it says of itself', async () => {
      const lines = Array.from({ length: 300 }, () => [note, folded, numbers, reason]).flat()
      const { log } = await receive(lines, ({ event }) => event === 'suppressed')
      const own = log.records.filter(({ event }) => event === 'refused').length
      assert.ok(own <= 60, `${own} lines`)
      const told = log.records.filter(({ event }) => event === 'suppressed')
      assert.ok(told.length <= 4, `${told.length} lines`)
      const sum = (code: string): number =>
        told.reduce((all, { fields }) => all + ((fields['counts'] as Record<string, number>)[code] ?? 0), 0)
      assert.deepEqual([sum('SPA_HMAC_MISMATCH'), sum('SPA_MALFORMED')], [300 - own, 300 * 7])
      assert.ok(log.records.length <= own + told.length + 10, `${log.records.length} lines in all`)
    })

    it('is ended when it is ready for a second time', async () => {
      const ready = JSON.stringify({ type: 'ready' })
      const { log } = await receive([ready, ready], ({ event }) => event === 'receiver mistrusted', 2)
      assert.equal(log.records.filter(({ event }) => event === 'ready').length, 1)
    })

    const floods: [what: string, message: object][] = [
      ['that it has started', { type: 'started' }],
      ['knocks of a stanza that there is not', { type: 'knock', knock: honest({ openedBy: 2 }) }],
    ]
    for (const [what, message] of floods)
      it(`is ended once, and ignored from then on, however often it says ${what}`, async () => {
        const lines = Array.from({ length: 1500 }, () => JSON.stringify(message))
        const { log } = await receive(lines, ({ event }) => event === 'receiver lost', 2)
        assert.equal(log.records.filter(({ event }) => event === 'receiver mistrusted').length, 1)
        assert.ok(log.records.length <= 60, `${log.records.length} lines`)
      })

    const stale = knock(honest({}, { timestamp: Math.floor(Date.now() / 1000) - 86_400 }))
    const mistrusted = (log: MemoryLog): unknown[] =>
      log.records.filter(({ event }) => event === 'receiver mistrusted').map(({ fields }) => fields['detail'])

    // Each knock is answered with its digest, so these make the warden send the most.
    it('is ended when it does not read what it is told, and the warden’s memory stays as it was', async () => {
      const { log, grown } = await outlive(['--deaf', '--times', '60000', stale])
      const [why, ...more] = mistrusted(log)
      assert.match(String(why), /^it has not read 1[0-9]{6} bytes$/)
      assert.deepEqual(more, [])
      assert.ok(grown < 128 * 1024 ** 2, `${grown} bytes`)
    })

    const idle: [what: string, message: object][] = [
      ['that it lives', { type: 'alive' }],
      ['its numbers', { type: 'tally', tally: { looked: 1, dropped: 0, refused: {} } }],
      ['what it folded', { type: 'suppressed', counts: { SPA_MALFORMED: 1 } }],
      ['of a configuration that it was never told', { type: 'configured', generation: 7 }],
    ]
    for (const [what, message] of idle)
      it(`is ended when it goes on and on telling ${what}`, async () => {
        const { log } = await outlive(['--times', '20000', JSON.stringify(message)])
        assert.deepEqual(mistrusted(log), ['it sends more messages than an honest receiver does'])
      })

    it('is ended when it goes on and on writing to its standard error', async () => {
      const { log } = await outlive(['--errors', '8000'])
      assert.deepEqual(mistrusted(log), ['it writes more to its standard error than an honest receiver can'])
      const lines = log.records.filter(({ event }) => event === 'receiver says')
      assert.ok(lines.length < 30, `${lines.length} lines`)
    })

    it('leaves nothing behind: what it started ends with it, and the next one gets the UDP port', async () => {
      const conf = readFileSync(join(directory, 'fwknopd.conf'), 'utf8')
      writeFileSync(join(directory, 'udp.conf'), `${conf}CAPTURE udp;\n`, { mode: 0o600 })
      // A receiver without privilege writes there.
      const folder = net.directory()
      chmodSync(folder, 0o777)
      const left = join(folder, 'left')
      const ready = JSON.stringify({ type: 'ready', unconfined: 'no filter' })
      const { log } = await outlive(['--leave', left, '--end', ready], { server: 'udp.conf' })
      const pid = Number(readFileSync(left, 'utf8'))
      assert.ok(pid > 0)
      // It may be dead and not reaped yet.
      assert.match(existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, 'latin1') : ') Z ', /\) Z /)
      assert.deepEqual(
        log.records.filter(({ event }) => event === 'capture'),
        [],
      )
      assert.equal(log.records.filter(({ event }) => event === 'ready').length, 2)
    })

    for (const [how, line, same] of [
      ['confined', '{"type":"ready"}', true],
      ['that no filter confined', '{"type":"ready","unconfined":"no filter"}', false],
    ] as const)
      it(`one ${how} ends by itself: the next one has ${same ? 'the same' : 'other'} sockets`, async () => {
        const log = new MemoryLog()
        const sockets: string[] = []
        const starterFor = () => ({
          separateUser: true,
          start(fds: readonly number[]) {
            sockets.push(fds.map((fd) => readlinkSync(`/proc/self/fd/${fd}`)).join(' '))
            return startHostile([line])
          },
        })
        const source = { server: join(directory, 'fwknopd.conf'), access: join(directory, 'access.conf') }
        const warden = await startWarden(source, log, systemClock, { starterFor })
        assert.ok(warden.ok, warden.ok ? '' : warden.failure.detail)
        const deadline = performance.now() + 10_000
        const waitFor = async (done: () => boolean): Promise<void> => {
          while (!done()) {
            assert.ok(performance.now() < deadline, JSON.stringify(log.records))
            await delay(5)
          }
        }
        const ready = () => log.records.find(({ event }) => event === 'ready')
        await waitFor(() => ready() !== undefined)
        process.kill(Number(ready()?.fields['receiver']), 'SIGKILL')
        await waitFor(() => sockets.length === 2)
        await warden.value.stop()
        assert.equal(sockets[0] === sockets[1], same, sockets.join(' / '))
      })

    const rubbish: [what: string, line: string][] = [
      ['no JSON', 'open sesame'],
      ['another protocol', '{"type":"open","port":22}'],
      ['a field too many', knock(honest({ lifetime: 999_999 }))],
      ['a port that is none', knock(honest({}, { ports: [{ protocol: 'tcp', port: 0 }] }))],
      [
        'nft’s own words for an address',
        knock(honest({ packet: { ...honest().packet, source: '10.9.0.1; flush ruleset' } })),
      ],
      ['a user name with a newline', knock(honest({}, { username: 'a\nb' }))],
      ['a digest of another length', knock(honest({ digest: 'AAAA' }))],
      ['a line without end', 'x'.repeat(100_000)],
    ]
    for (const [what, line] of rubbish)
      it(`is ended, and an honest one started, when it says ${what}`, async () => {
        const { grants } = await receive([line], ({ event }) => event === 'receiver lost', 2)
        assert.deepEqual(grants, [])
      })
  })
