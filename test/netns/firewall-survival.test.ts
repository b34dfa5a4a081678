/**
 * What the nftables firewall survives: other programs that change its table, its own end and restart, another
 * configuration, a kernel without netfilter. Topology in `../support/firewall-lab.ts`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Opening } from '../../src/access/grant.ts'
import {
  connectionMarkValue,
  DEFAULT_MARK,
  DEFAULT_TABLE,
  tableNameValue,
} from '../../src/config/server/firewall-settings.ts'
import type { KernelFirewall, Mended } from '../../src/firewall/firewall.ts'
import { hostRules, USUAL_CHAINS } from '../../src/firewall/host/host-rules.ts'
import { dumpSet } from '../../src/firewall/nftables/dump.ts'
import { parseLedger } from '../../src/firewall/nftables/ledger.ts'
import { createNftablesFirewall, type NftablesOptions } from '../../src/firewall/nftables/nftables.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import { sinceBoot } from '../../src/system/since-boot.ts'
import { port } from '../../src/units.ts'
import { grantFor } from '../contract/firewall.ts'
import { addresses, createLab, type Lab } from '../support/firewall-lab.ts'
import { netnsUnavailable, type Program } from '../support/netns.ts'

const skip = netnsUnavailable()
const quick = { timeoutMs: 250 }
const c1 = addresses[4].c1
const ssh: Opening = { kind: 'access', protocol: 'tcp', port: port(22) }
const mark: NftablesOptions = { mode: { kind: 'mark' } }
const gate: NftablesOptions = { mode: { kind: 'gate', protectedPorts: [{ protocol: 'tcp', port: port(22) }] } }
const fine = { ok: true, value: undefined }

let lab: Lab
if (skip === false) {
  before(async () => {
    lab = await createLab()
  })
  after(() => lab[Symbol.asyncDispose]())
}

function nft(...words: string[]): string {
  return lab.server.must(['nft', ...words])
}

/** The administrator's default drop, with or without the rule that accepts our mark. */
function dropByDefault(): void {
  lab.server.must(['nft', '-f', '-'], {
    input: `flush ruleset
      table inet filter {
        chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iif lo accept; }
        chain forward { type filter hook forward priority filter; policy drop; }
      }`,
  })
  const rules = hostRules({ kind: 'nft', chains: USUAL_CHAINS }, DEFAULT_MARK)
  for (const { lines } of rules) for (const line of lines) lab.server.must(line.split(' '))
}

async function installed(options: NftablesOptions): Promise<KernelFirewall & AsyncDisposable> {
  const made = createNftablesFirewall(options)
  assert.ok(made.ok)
  const firewall = made.value
  assert.deepEqual(await firewall.install(), fine)
  return Object.assign(firewall, { [Symbol.asyncDispose]: () => firewall.close() })
}

/** When each open door ends in the kernel, in milliseconds since the machine started. */
function ends(): Map<string, { readonly from: number; readonly to: number }> {
  const read = dumpSet(DEFAULT_TABLE, 'accept4', () => sinceBoot('counted'))
  assert.ok(read.ok)
  return new Map(read.value.map(({ set, key, from, to }) => [`${set} ${key}`, { from, to }]))
}

/** When each grant ends by its record, to the millisecond. */
function recordedEnds(): ReadonlyMap<string, number> {
  const read = dumpSet(DEFAULT_TABLE, 'ledger', () => sinceBoot('counted'))
  assert.ok(read.ok)
  return new Map(parseLedger(read.value).records.map(({ grant, until }) => [grant.source, until]))
}

/** Waits until a monitor has reported all earlier events. */
async function fence(monitor: Program, name: string): Promise<void> {
  for (let tries = 0; tries < 100 && !monitor.output.includes(name); tries++) {
    nft('add', 'table', 'ip', name)
    nft('delete', 'table', 'ip', name)
    await delay(50)
  }
  assert.match(monitor.output, new RegExp(name))
}

/** Collects the reports of the watch. */
function watched(firewall: KernelFirewall): { mends: Mended[]; next(): Promise<Mended> } {
  const mends: Mended[] = []
  let wake: () => void = () => {}
  const watching = firewall.watch({
    onMended: (mended) => {
      mends.push(mended)
      wake()
    },
  })
  assert.deepEqual(watching, fine)
  return {
    mends,
    next: async () => {
      const known = mends.length
      const told = new Promise<void>((resolve) => {
        wake = resolve
      })
      await Promise.race([told, delay(5_000, undefined, { ref: false })])
      const mended = mends[known]
      assert.ok(mended, 'nothing was heard within five seconds')
      return mended
    },
  }
}

describe('other programs change our table', { skip }, () => {
  for (const [what, command] of [
    ['the whole ruleset is flushed', 'flush ruleset'],
    ['the table is deleted', 'delete table inet ghostport'],
    ['its rules are flushed', 'flush chain inet ghostport gate'],
    ['a set is flushed', 'flush set inet ghostport accept4'],
    ['one element is deleted', `delete element inet ghostport accept4 { ${c1} . tcp . 22 }`],
  ] as const) {
    test(`gate mode, ${what}: all is as it was at once, and the log hears of it`, async () => {
      nft('flush', 'ruleset')
      await using firewall = await installed(gate)
      const others = Array.from({ length: 500 }, (_, i) => grantFor(`192.0.${i >> 8}.${i & 255}` as IpAddress, [ssh]))
      assert.ok((await firewall.open([grantFor(c1, [ssh]), ...others])).every((result) => result.ok))
      const heard = watched(firewall)
      const before = nft('-nn', '-s', 'list', 'table', 'inet', 'ghostport')
      const next = heard.next()
      nft(...command.split(' '))
      const mended = await next
      assert.deepEqual(mended.outcome, fine)
      assert.equal(mended.grants, 501)
      assert.equal(mended.change.by?.program, 'nft')
      assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
      assert.equal(await lab.c2.tcp('10.2.0.1', 22, quick), 'timeout')
      assert.deepEqual(canonical(nft('-nn', '-s', 'list', 'table', 'inet', 'ghostport')), canonical(before))
      await delay(100)
      assert.equal(heard.mends.length, 1, 'its own mending is not heard')
    })
  }

  test('a door that somebody else opened is shut', async () => {
    nft('flush', 'ruleset')
    await using firewall = await installed(gate)
    const next = watched(firewall).next()
    nft('add', 'element', 'inet', 'ghostport', 'accept4', `{ ${addresses[4].c2} . tcp . 22 }`)
    assert.deepEqual((await next).change.set, 'accept4')
    assert.equal(await lab.c2.tcp('10.2.0.1', 22, quick), 'timeout')
  })

  test('rules of others are told of; elements of their sets, our own transactions and our own table are not', async () => {
    nft('flush', 'ruleset')
    await using firewall = await installed(mark)
    let told = 0
    let mends = 0
    assert.deepEqual(firewall.watch({ onMended: () => mends++, onHostChange: () => told++ }), fine)
    /** How many reports a change causes: until some time after the last. */
    const tells = async (change: () => unknown): Promise<number> => {
      const before = told
      await change()
      for (let known = -1; known !== told; ) {
        known = told
        await delay(250)
      }
      return told - before
    }
    assert.equal(await tells(() => nft('-f', '/dev/null')), 0)
    for (const change of [
      ['add', 'table', 'inet', 'theirs'],
      ['add', 'chain', 'inet', 'theirs', 'in', '{ type filter hook input priority 0; }'],
      ['add', 'rule', 'inet', 'theirs', 'in', 'tcp dport 22 drop'],
    ])
      assert.ok((await tells(() => nft(...change))) > 0, change.join(' '))
    const [set, element] = [
      'add set inet theirs banned { type ipv4_addr; }',
      'add element inet theirs banned { 192.0.2.1 }',
    ]
    for (const change of [set, element]) assert.equal(await tells(() => nft(change)), 0, change)
    assert.equal(await tells(() => firewall.open([grantFor(c1, [ssh], 1)])), 0)
    assert.equal(await tells(() => firewall.revoke([grantFor(c1, [ssh]).id])), 0)
    assert.equal(await tells(() => nft('flush', 'table', 'inet', 'ghostport')), 0)
    assert.ok((await tells(() => nft('flush', 'chain', 'inet', 'theirs', 'in'))) > 0)
    assert.equal(mends, 1)
  })

  test('tables of others, our own transactions and the kernel’s expiry are no reason to do anything', async () => {
    nft('flush', 'ruleset')
    await using firewall = await installed(mark)
    const { mends } = watched(firewall)
    nft('add', 'table', 'inet', 'theirs')
    nft('add', 'table', 'ip', 'ghostport')
    await firewall.open([grantFor(c1, [ssh], 1)])
    await firewall.revoke([grantFor(c1, [ssh]).id])
    await firewall.open([grantFor(c1, [ssh], 1)])
    await delay(2_300) // past the end and the kernel's sweep
    assert.deepEqual(mends, [])
  })

  test('a knock that comes before the mending still opens, and what was live with it', async () => {
    dropByDefault()
    await using firewall = await installed(mark)
    await firewall.open([grantFor(c1, [ssh])])
    nft('delete', 'table', 'inet', 'ghostport')
    assert.deepEqual(await firewall.open([grantFor(addresses[4].c2, [ssh])]), [fine])
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
    assert.equal(await lab.c2.tcp('10.2.0.1', 22), 'ssh')
  })

  test('what the kernel will not hold is refused alone, and its neighbours are opened', async () => {
    nft('flush', 'ruleset')
    await using firewall = await installed(mark)
    // Another program leads a port elsewhere that is free in the book.
    nft('add', 'element', 'inet', 'ghostport', 'redir4', '{ 192.0.2.2 . tcp . 80 : 25 }')
    const ghost: Opening = { kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }
    const results = await firewall.open(
      ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((at) => grantFor(at as IpAddress, [ghost])),
    )
    assert.deepEqual(
      results.map((result) => (result.ok ? 'ok' : result.failure.code)),
      ['ok', 'FIREWALL_REFUSED', 'ok'],
    )
    const live = await firewall.grants()
    assert.equal(live.ok && live.value.length, 2)
  })
})

describe('its own end and beginning', { skip }, () => {
  test('killed with a grant live: the door is shut at its end, with nobody there', async () => {
    dropByDefault()
    const LIFETIME = 4
    const program = lab.server.start([
      process.execPath,
      fileURLToPath(new URL('../support/firewall-process.ts', import.meta.url)),
      String(LIFETIME),
      c1,
      '22',
    ])
    const asked = Number((await program.says(/open (\d+)/))[1])
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
    process.kill(program.pid, 'SIGKILL')
    await program.ended
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh', 'the grant outlives what gave it')
    await lab.c1.until('timeout', { protocol: 'tcp', address: '10.1.0.1', port: 22, timeoutMs: 100 })
    const lived = Date.now() - asked
    assert.ok(lived >= LIFETIME * 1_000 && lived < (LIFETIME + 8) * 1_000, `${lived} ms`)
  })

  test('a new one keeps the grants of the old one, to the millisecond, also over a change of mode and mark', async () => {
    dropByDefault()
    const grants = [
      grantFor(c1, [ssh, { kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }], 30),
      grantFor(addresses[6].c1, [ssh], 20),
      grantFor(c1, [ssh], 5),
    ]
    const asked = performance.now()
    {
      await using old = await installed(mark)
      await old.open(grants)
    }
    const opened = performance.now()
    const other = connectionMarkValue('0x10000000')
    assert.ok(other.ok)
    await using young = await installed({ ...gate, mark: other.value })
    const looked = performance.now()
    const found = await young.grants()
    assert.ok(found.ok)
    const told = performance.now()
    assert.deepEqual(new Set(found.value.map(({ grant }) => grant)), new Set(grants))
    const rest = found.value.find(({ grant }) => grant.lifetime === 30)?.remaining ?? 0
    // It was between the two readings of the clock; both count in whole milliseconds.
    assert.ok(rest >= 30_000 - (told - asked) - 2 && rest <= 30_000 - (looked - opened) + 2, `${rest} ms`)
    nft('flush', 'table', 'inet', 'filter')
    nft('add', 'chain', 'inet', 'filter', 'input', '{ policy accept; }')
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
    assert.equal(await lab.c1.tcp('10.1.0.1', 80), 'ssh')
    assert.equal(await lab.c1.tcp('fd01::1', 22), 'ssh')
    assert.equal(await lab.c2.tcp('10.2.0.1', 22, quick), 'timeout')
    // The short grant on the same port ends; the longer one keeps the door open.
    await delay(5_050)
    const later = await young.grants()
    assert.equal(later.ok && later.value.length, 2)
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
  })

  for (const [what, shapes] of [
    ['that find all as they left it', [mark]],
    ['that each want another table', [gate, mark]],
  ] as const) {
    test(`no end moves, over any number of beginnings ${what}`, async () => {
      nft('flush', 'ruleset')
      const grants = Array.from({ length: 1_000 }, (_, i) =>
        grantFor(`10.78.${i >> 8}.${i & 255}` as IpAddress, [ssh], 600),
      )
      {
        await using first = await installed(mark)
        assert.ok((await first.open(grants)).every((result) => result.ok))
      }
      const before = recordedEnds()
      assert.equal(before.size, 1_000)
      for (let time = 0; time < 12; time++) {
        await using next = await installed(shapes[time % shapes.length] ?? mark)
        assert.equal(next.kept().grants.length, 1_000)
        assert.equal(next.kept().lost, 0)
      }
      assert.deepEqual(recordedEnds(), before)
      const doors = ends()
      assert.equal(doors.size, 1_000)
      // The kernel counts from when it gets a timeout: on a busy machine later, and never sooner.
      for (const [source, end] of before) {
        const door = doors.get(`accept4 ${source} . tcp . 22`)
        assert.ok(door && door.to > end - 50 && door.from < end + 1_000, `${source}: ${end}, ${JSON.stringify(door)}`)
      }
    })
  }

  test('what somebody did to the table before a beginning is undone by it', async () => {
    dropByDefault()
    {
      await using first = await installed(mark)
      await first.open([
        grantFor(c1, [ssh, { kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }]),
      ])
    }
    const stranger = addresses[4].c2
    nft('add', 'element', 'inet', 'ghostport', 'accept4', `{ ${stranger} . tcp . 22 }`)
    nft('delete', 'element', 'inet', 'ghostport', 'redir4', `{ ${c1} . tcp . 80 : 22 }`)
    nft('add', 'element', 'inet', 'ghostport', 'redir4', `{ ${c1} . tcp . 80 timeout 1h : 25 }`)
    nft('delete', 'element', 'inet', 'ghostport', 'accept4', `{ ${c1} . tcp . 22 }`)
    nft('flush', 'chain', 'inet', 'ghostport', 'nat_pre')
    await using next = await installed(mark)
    assert.equal(next.kept().grants.length, 1)
    assert.equal(await lab.c2.tcp('10.2.0.1', 22, quick), 'timeout')
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
    assert.equal(await lab.c1.tcp('10.1.0.1', 80), 'ssh')
  })

  test('a machine that was suspended closes what has ended meanwhile, and no grant ends later for it', async () => {
    dropByDefault()
    let slept = 0
    const clocks = {
      withSuspension: () => sinceBoot('counted') + slept,
      withoutSuspension: () => sinceBoot('not counted'),
    }
    await using firewall = await installed({ ...mark, clocks })
    watched(firewall)
    const other = addresses[4].c2
    await firewall.open([grantFor(c1, [ssh], 30), grantFor(other, [ssh], 100)])
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
    const before = ends()
    slept = 40_000
    await lab.c1.until('timeout', { protocol: 'tcp', address: '10.1.0.1', port: 22, timeoutMs: 100 })
    assert.equal(await lab.c2.tcp('10.2.0.1', 22), 'ssh')
    const key = `accept4 ${other} . tcp . 22`
    const moved = (before.get(key)?.to ?? 0) - (ends().get(key)?.to ?? 0)
    assert.ok(Math.abs(moved - slept) < 100, `${moved} ms`)
  })

  test('a start with a full table writes nothing that is right already', async () => {
    nft('flush', 'ruleset')
    const full = 3_000
    {
      await using first = await installed({ ...mark, maxGrants: full })
      const grants = Array.from({ length: full }, (_, i) =>
        grantFor(`10.79.${i >> 8}.${i & 255}` as IpAddress, [ssh], 600),
      )
      assert.ok((await first.open(grants)).every((result) => result.ok))
      assert.equal(
        (await first.open([grantFor(c1, [ssh])])).every((result) => result.ok),
        false,
        'it is full',
      )
    }
    const written = async (): Promise<string> => {
      const monitor = lab.server.start(['nft', '-nn', 'monitor'])
      await fence(monitor, 'begin')
      const made = createNftablesFirewall({ ...mark, maxGrants: full })
      assert.ok(made.ok)
      // As the server does.
      assert.ok(made.value.watch({ onMended: () => {} }).ok)
      assert.deepEqual(await made.value.install(), fine)
      assert.equal(made.value.kept().grants.length, full)
      await made.value.close()
      await fence(monitor, 'end')
      await monitor.stop()
      return monitor.output
    }
    // If the machine was too busy for the ends to be right at once, the first starts correct them.
    let output = await written()
    for (let start = 0; start < 5 && output.includes('element inet ghostport'); start++) output = await written()
    assert.ok(!output.includes('element inet ghostport'), output.slice(0, 2_000))
  })

  test('the names of another table and mark are used wherever they are given', async () => {
    dropByDefault()
    const [table, bit] = [tableNameValue('spa_2'), connectionMarkValue('1')]
    assert.ok(table.ok && bit.ok)
    await using firewall = await installed({ ...mark, table: table.value, mark: bit.value })
    await firewall.open([grantFor(c1, [ssh])])
    assert.equal(await lab.c1.tcp('10.1.0.1', 22, quick), 'timeout', 'the host knows another mark')
    for (const { lines } of hostRules({ kind: 'nft', chains: USUAL_CHAINS }, bit.value)) {
      for (const line of lines) lab.server.must(line.split(' '))
    }
    assert.equal(await lab.c1.tcp('10.1.0.1', 22), 'ssh')
    assert.deepEqual(await firewall.uninstall(), fine)
    assert.equal(lab.server.run(['nft', 'list', 'table', 'inet', 'spa_2']).status, 1)
  })

  test('thousands at once all open, and all end', async () => {
    nft('flush', 'ruleset')
    await using firewall = await installed(mark)
    const grants = Array.from({ length: 5_000 }, (_, i) =>
      grantFor(`10.77.${i >> 8}.${i & 255}` as IpAddress, [ssh], 5),
    )
    assert.ok((await firewall.open(grants)).every((result) => result.ok))
    const inTheKernel = (): number => nft('list', 'set', 'inet', 'ghostport', 'accept4').match(/timeout/g)?.length ?? 0
    const first = await firewall.grants()
    assert.equal(first.ok && first.value.length, 5_000)
    await delay(5_000)
    // The kernel's sweep comes within a second, and may be delayed.
    for (let tries = 0; inTheKernel() > 1 && tries < 50; tries++) await delay(100)
    assert.equal(inTheKernel(), 1, 'the word in “flags timeout” alone')
  })

  test('where somebody without privilege starts it, or with another library, it says what is missing', async () => {
    const absent = createNftablesFirewall({ ...mark, library: 'libnftables.so.999' })
    assert.ok(!absent.ok && absent.failure.code === 'FIREWALL_UNAVAILABLE')
    assert.match(absent.failure.detail, /libnftables\.so\.999.*apt-get install/)
    const module = fileURLToPath(new URL('../../src/firewall/nftables/nftables.ts', import.meta.url))
    const ask = `const { createNftablesFirewall } = await import(${JSON.stringify(module)})
      console.log(JSON.stringify(createNftablesFirewall({ mode: { kind: 'mark' } })))`
    const said = lab.server.must([
      'setpriv',
      '--bounding-set=-all',
      '--inh-caps=-all',
      process.execPath,
      '--input-type=module',
      '-e',
      ask,
    ])
    assert.match(said, /"FIREWALL_UNAVAILABLE".*CAP_NET_ADMIN/)
  })

  test('where the kernel has no netfilter, it says so and does not end the process', async () => {
    // A seccomp filter answers like such a kernel: socket(AF_NETLINK, …, NETLINK_NETFILTER) is EPROTONOSUPPORT.
    const module = fileURLToPath(new URL('../../src/firewall/nftables/nftables.ts', import.meta.url))
    const ask = `import koffi from ${JSON.stringify(import.meta.resolve('koffi'))}
      const libc = koffi.load('libc.so.6')
      const filter = koffi.struct({ code: 'uint16_t', jt: 'uint8_t', jf: 'uint8_t', k: 'uint32_t' })
      const program = koffi.struct({ len: 'uint16_t', filter: koffi.pointer(filter) })
      const flag = libc.func('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)')
      const set = libc.func('prctl', 'int', ['int', 'ulong', koffi.pointer(program)])
      const SYS_socket = process.arch === 'arm64' ? 198 : 41
      const steps = [
        [0x20, 0, 0, 0], [0x15, 0, 5, SYS_socket],
        [0x20, 0, 0, 16], [0x15, 0, 3, 16],
        [0x20, 0, 0, 32], [0x15, 0, 1, 12],
        [0x06, 0, 0, 0x00050000 | 93],
        [0x06, 0, 0, 0x7fff0000],
      ].map(([code, jt, jf, k]) => ({ code, jt, jf, k }))
      if (flag(38, 1, 0, 0, 0) !== 0 || set(22, 2, { len: steps.length, filter: steps }) !== 0) throw new Error('no seccomp')
      const { createNftablesFirewall } = await import(${JSON.stringify(module)})
      console.log(JSON.stringify(createNftablesFirewall({ mode: { kind: 'mark' } })))`
    const said = lab.server.must([process.execPath, '--input-type=module', '-e', ask])
    assert.match(said, /"FIREWALL_UNAVAILABLE".*netfilter cannot be used.*EPROTONOSUPPORT/)
  })

  test('a process that ends without closing is not held back by the watch', async () => {
    const module = fileURLToPath(new URL('../../src/firewall/nftables/nftables.ts', import.meta.url))
    const body = `const { createNftablesFirewall } = await import(${JSON.stringify(module)})
      const { value } = createNftablesFirewall({ mode: { kind: 'mark' } })
      await value.install(); value.watch({ onMended: () => {} }); setTimeout(() => process.exit(7), 50)`
    const program = lab.server.start([process.execPath, '--input-type=module', '-e', body])
    assert.equal(await program.end(), 7)
  })
})

/**
 * Without the order of elements, the numbers of the ledger and what remains, which differ from one rebuild to the next.
 */
function canonical(listing: string): string[] {
  return listing
    .split(/[\n,{}]/)
    .map((line) =>
      line
        .replace(/0x[0-9a-f]{8} \. 0x[0-9a-f]{8}/, 'NUMBER')
        .replace(/(timeout|expires) \S+/g, '')
        .replace(/counter packets \d+ bytes \d+/, 'counter')
        .trim(),
    )
    .filter((line) => line !== '')
    .toSorted()
}
