/**
 * Attacks on FIREWALL iptables: programs that fail now and then, are slow, or are killed before or after they have
 * changed the kernel; reloads and a flush by hand during a flood of knocks. A grant that is reported is open. One that
 * is refused is not, as soon as a program works again. Nothing is open beyond its time, and all heals by itself.
 *
 *   client 10.9.0.11 … .18 ── server 10.9.0.2, ssh on tcp/22
 */

import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, type LogEvent, SERVER, stanza } from '../support/daemon.ts'
import { IN_FULL } from '../support/in-full.ts'
import { dropByIptables, forgetIptables, type Variant } from '../support/iptables-host.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { sealedPacket } from '../support/sealed.ts'

const SOURCES = Array.from({ length: 8 }, (_, i) => `10.9.0.${11 + i}`)
const LIFETIME = 5

/** Sends each packet from its source: `SOURCE PACKET …`. */
const SEND = `
import socket, sys
for source, packet in zip(sys.argv[1::2], sys.argv[2::2]):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((source, 0))
    s.sendto(packet.encode(), ('${SERVER}', 62201))
`
/** Prints the sources that reach ssh. All try at once. */
const REACH = `
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def reaches(source):
    s = socket.socket(); s.settimeout(0.4); s.bind((source, 0))
    try: s.connect(('${SERVER}', 22)); return s.recv(3) == b'ssh'
    except OSError: return False
    finally: s.close()
with ThreadPoolExecutor(16) as all: print(' '.join(s for s, r in zip(sys.argv[1:], all.map(reaches, sys.argv[1:])) if r))
`

/** A program of iptables that goes wrong in half of its runs, while the file `trouble` is there. */
const UNRELIABLE = (folder: string, program: string): string => `#!/bin/bash
[ -e ${folder}/trouble ] || exec /usr/sbin/${program} "$@"
case $((RANDOM % 12)) in
  0) echo 'iptables-restore: line 3 failed' >&2; exit 1;;
  1) echo 'Another app is currently holding the xtables lock.' >&2; exit 4;;
  2) /usr/sbin/${program} "$@"; kill -9 $$;;
  3) kill -9 $$;;
  4|5) sleep 0.4;;
esac
exec /usr/sbin/${program} "$@"
`

describe('attacks on FIREWALL iptables', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  for (const variant of ['nft', 'legacy'] as const) {
    it(`${variant}: programs that fail, are slow, or are killed half-way`, async () => {
      await using lab = await createLab(variant)
      const { daemon } = lab
      let [granted, refused] = [0, 0]
      // All knocks of a round can meet a run that fails.
      const isMore = (round: number): boolean => round < (IN_FULL ? 2 : 1) || (granted === 0 && round < 10)
      for (let round = 0; isMore(round); round++) {
        lab.trouble(true)
        const from = daemon.events.length
        lab.knock(SOURCES)
        const verdicts = await lab.verdicts(SOURCES.length, from)
        const open = verdicts.filter(({ verdict }) => verdict === 'granted').map(({ source }) => String(source))
        granted += open.length
        refused += SOURCES.length - open.length
        const reached = lab.reached()
        for (const source of open) assert.ok(reached.includes(source), daemon.program.output)
        // A program that was killed may have opened for a refused client: that lasts until the next one works.
        lab.trouble(false)
        await lab.reach(open.sort())
        lab.trouble(true)
        // No rule stays for longer than its grant, also where a program fails.
        await delay(LIFETIME * 1000 + 200)
        assert.deepEqual(lab.reached(), [], daemon.program.output)
        lab.trouble(false)
      }
      assert.ok(granted > 0, `${granted} granted, ${refused} refused`)
      await lab.isHealed()
    })

    it(`${variant}: reloads, and a flush by hand, in a flood of knocks`, async () => {
      await using lab = await createLab(variant)
      const { daemon, server } = lab
      const from = daemon.events.length
      const rounds = 12
      for (let round = 0; round < rounds; round++) {
        lab.knock(SOURCES)
        if (round % 4 === 1) daemon.reload()
        if (round % 4 === 3) {
          for (const words of [['-F'], ['-X']]) server.run([`iptables-${variant}`, '-w', '10', ...words])
          dropByIptables(server, variant)
        }
        await delay(100)
      }
      await lab.verdicts(SOURCES.length * rounds, from)
      // What was opened after the last flush brought everything back.
      const last = daemon.events.length
      lab.knock(SOURCES)
      const verdicts = await lab.verdicts(SOURCES.length, last)
      assert.deepEqual(
        verdicts.map(({ verdict, code }) => code ?? verdict),
        SOURCES.map(() => 'granted'),
      )
      assert.deepEqual(lab.reached(), SOURCES)
      await delay(LIFETIME * 1000 + 200)
      assert.deepEqual(lab.reached(), [])
      assert.deepEqual(
        daemon.events.filter(({ event }) => event === 'reload refused' || event === 'receiver lost'),
        [],
      )
      await lab.isHealed()
    })
  }

  it('legacy: the lock of iptables held for ten seconds, in a flood of knocks', async () => {
    // A /run of its own, so that no other program of this machine waits.
    const inside = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'sh']
    await using lab = await createLab('legacy', inside)
    const { daemon, server } = lab
    const lock = ['nsenter', '-t', String(daemon.pid), '-m', 'flock', '/run/xtables.lock']
    const holder = server.start([...lock, 'sh', '-c', 'echo held; sleep 10'])
    await holder.says(/held/)
    const from = daemon.events.length
    const held = performance.now()
    let knocks = 0
    for (; knocks === 0 || performance.now() - held < 7_000; knocks++) {
      lab.knock(SOURCES)
      await delay(500)
    }
    const reached = lab.reached()
    if (performance.now() - held < 9_500) assert.deepEqual(reached, [], 'nothing opens while the lock is held')
    const verdicts = await lab.verdicts(SOURCES.length * knocks, from)
    const codes = new Set(verdicts.map(({ verdict, code }) => code ?? verdict))
    assert.ok(codes.has('FIREWALL_UNAVAILABLE'), [...codes].join())
    // It has healed when the lock is free, at once, and old rules end.
    const last = daemon.events.length
    lab.knock(SOURCES)
    for (const { verdict, detail } of await lab.verdicts(SOURCES.length, last))
      assert.equal(verdict, 'granted', String(detail))
    assert.deepEqual(lab.reached(), SOURCES)
    await delay(LIFETIME * 1000 + 200)
    assert.deepEqual(lab.reached(), [])
    await lab.isHealed()
  })
})

interface Lab extends AsyncDisposable {
  readonly daemon: Daemon
  readonly server: Host
  trouble(isOn: boolean): void
  knock(sources: readonly string[]): void
  verdicts(count: number, from: number): Promise<readonly LogEvent[]>
  /** The sources that reach ssh. */
  reached(): readonly string[]
  /** Soon these sources reach ssh, and no others. */
  reach(sources: readonly string[]): Promise<void>
  /** Nothing of any grant is left, and a knock opens. */
  isHealed(): Promise<void>
}

/** @param inside a program to run the server in. */
async function createLab(variant: Variant, inside: readonly string[] = []): Promise<Lab> {
  const net = await Network.create()
  const [client, server] = [await net.host('client'), await net.host('server')]
  await net.link(
    client,
    SOURCES.map((source) => `${source}/24`),
    server,
    [`${SERVER}/24`],
  )
  await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
  forgetIptables(server)
  dropByIptables(server, variant)
  const folder = net.directory()
  chmodSync(folder, 0o755)
  for (const family of ['iptables', 'ip6tables'])
    for (const what of ['', '-restore', '-save']) {
      const program = `${family}-${variant}${what}`
      writeFileSync(join(folder, program), UNRELIABLE(folder, program), { mode: 0o755 })
    }
  const daemon = await Daemon.start(net, server, {
    server: ['FIREWALL iptables', `FIREWALL_EXE ${folder}/iptables-${variant}`],
    access: stanza(['OPEN_PORTS tcp/22', `FW_ACCESS_TIMEOUT ${LIFETIME}`]),
    inside,
  })
  const lab: Lab = {
    daemon,
    server,
    trouble(isOn) {
      server.must(isOn ? ['touch', join(folder, 'trouble')] : ['rm', join(folder, 'trouble')])
    },
    knock(sources) {
      client.must(['python3', '-c', SEND, ...sources.flatMap((source) => [source, sealedPacket()])])
    },
    async verdicts(count, from) {
      const seen = () => daemon.events.slice(from).filter(({ verdict }) => verdict !== undefined)
      for (let i = 0; seen().length < count && i < 1500; i++) await delay(20)
      assert.equal(seen().length, count, daemon.program.output)
      return seen()
    },
    reached: () =>
      client
        .must(['python3', '-c', REACH, ...SOURCES])
        .split(/\s/)
        .filter((word) => word !== '')
        .sort(),
    async reach(sources) {
      for (let i = 0; i < 10 && String(lab.reached()) !== String(sources); i++) await delay(50)
      assert.deepEqual(lab.reached(), sources, daemon.program.output)
    },
    async isHealed() {
      let rules = ''
      for (let i = 0; i < 100; i++) {
        rules = server.must([`iptables-${variant}-save`])
        if (!/_exp_/.test(rules)) break
        await delay(100)
      }
      assert.doesNotMatch(rules, /_exp_/)
      assert.deepEqual(daemon.status().grants, [])
      const from = daemon.events.length
      lab.knock(SOURCES.slice(0, 1))
      const [verdict] = await lab.verdicts(1, from)
      assert.equal(verdict?.verdict, 'granted')
      assert.deepEqual(lab.reached(), SOURCES.slice(0, 1))
    },
    [Symbol.asyncDispose]: () => net.close(),
  }
  return lab
}
