/**
 * The two paths of elements to the kernel, beside each other on one host. Straight over netlink, the same is written as
 * by libnftables from text, and the same is refused.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import {
  DEFAULT_MARK,
  type TableName,
  type TableShape,
  tableNameValue,
} from '../../src/config/server/firewall-settings.ts'
import type { Command } from '../../src/firewall/nftables/commands.ts'
import type { Element } from '../../src/firewall/nftables/elements.ts'
import { type ChangePath, type Nftables, openNftables } from '../../src/firewall/nftables/library.ts'
import { netfilterSockets } from '../../src/firewall/nftables/netlink.ts'
import { renderTable } from '../../src/firewall/nftables/ruleset.ts'
import { type Field, SET_NAMES, shapeOf } from '../../src/firewall/nftables/sets.ts'
import { addressFromBytes } from '../../src/packet/address.ts'
import { port } from '../../src/units.ts'
import { enter, type Host, Network, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const [direct, text] = [tableName('direct'), tableName('text')]

let net: Network
let server: Host
let leave: () => void
if (skip === false) {
  before(async () => {
    net = await Network.create()
    server = await net.host('server')
    leave = await enter(server)
  })
  after(async () => {
    leave?.()
    await net?.close()
  })
}

function tableName(name: string): TableName {
  const table = tableNameValue(name)
  assert.ok(table.ok)
  return table.value
}

function opened(path: ChangePath): Nftables & Disposable {
  const nftables = openNftables(undefined, path)
  assert.ok(nftables.ok)
  return Object.assign(nftables.value, { [Symbol.dispose]: () => nftables.value.close() })
}

function shape(table: TableName): TableShape {
  const mode = { kind: 'gate', protectedPorts: [{ protocol: 'tcp', port: port(22) }] } as const
  return { table, mode, mark: DEFAULT_MARK, maxGrants: 100 }
}

/** Every set and map of the table with its elements, sorted, as JSON and with milliseconds. */
function listed(table: TableName): unknown {
  const said = JSON.parse(server.must(['nft', '-j', 'list', 'table', 'inet', table])) as {
    nftables: Record<string, { name?: string; type?: unknown; map?: unknown; elem?: unknown[] }>[]
  }
  const sets = said.nftables.flatMap(({ set, map }) => {
    const one = set ?? map
    if (one === undefined) return []
    const elements = (one.elem ?? []).map((element) => withoutExpiry(JSON.stringify(element)))
    return [{ name: one.name, type: one.type, map: one.map, elements: elements.toSorted() }]
  })
  const plain = server.must(['nft', 'list', 'table', 'inet', table])
  // Within a comment are no blanks, but maybe braces.
  const elements = [...plain.matchAll(/elements = \{ (.*?) \}$/gms)].flatMap(([, list = '']) => list.split(/,\s+/))
  return {
    sets,
    elements: elements.map((one) => one.trim().replace(/ expires \w+/, '')).toSorted(),
  }
}

function withoutExpiry(json: string): string {
  return json.replace(/,?"expires":\s*\d+/, '')
}

const FIELDS: Readonly<Record<Field, readonly string[]>> = {
  ipv4_addr: ['192.0.2.1', '203.0.113.254'],
  ipv6_addr: ['2001:db8::1', 'fd00:1:2:3:4:5:6:7'],
  inet_proto: ['tcp', 'udp'],
  inet_service: ['443', '65535'],
  mark: ['258', '4294967295'],
}

const concatenation = (fields: readonly Field[]): fc.Arbitrary<string> =>
  fc.tuple(...fields.map((field) => fc.constantFrom(...FIELDS[field]))).map((parts) => parts.join(' . '))

/** Printable ASCII without quotes and backslashes. */
const comment = fc.stringMatching(/^[!#-[\]-~]{1,120}$/)
const timeout = fc.oneof(fc.constantFrom(60_000, 86_400_000, 90_061_001), fc.integer({ min: 60_000, max: 2 ** 33 }))

/** Few keys, so that commands meet: an element exists already, or does not, or leads elsewhere. */
const command: fc.Arbitrary<Command> = fc
  .constantFrom<Element['set']>(...SET_NAMES, 'known4', 'known6', 'redir4', 'redir6', 'snat6')
  .chain((set) => {
    const { key, value } = shapeOf(set)
    const element = fc.record({
      element: fc.record(
        {
          set: fc.constant(set),
          key: concatenation(key),
          ...(value && { value: concatenation(value) }),
          ...(set === 'ledger' && { comment }),
        },
        { noNullPrototype: true },
      ),
      timeout,
    })
    return fc.record({
      verb: fc.constantFrom('add', 'add', 'delete'),
      set: fc.constant(set),
      elements: fc.uniqueArray(element, { minLength: 1, maxLength: 4, selector: ({ element }) => element.key }),
    })
  })

/**
 * Each set once, as in `src/firewall/nftables/transaction.ts`: libnftables unites neighbouring commands for one set,
 * and then an element that is added twice does not keep the later time. The forms are those of `Care`.
 */
const transaction = fc
  .tuple(
    fc.uniqueArray(command, { minLength: 1, maxLength: 4, selector: ({ set }) => set }),
    fc.constantFrom('plain', 'quick', 'careful'),
  )
  .map(([commands, form]): readonly Command[] => {
    if (form === 'plain') return commands
    const later = commands.filter(({ verb }) => verb === 'add')
    return [
      ...(form === 'careful' ? commands.map((one): Command => ({ ...one, verb: 'add' })) : []),
      ...commands.map((one): Command => ({ ...one, verb: 'delete' })),
      ...later.map(({ elements, ...one }) => ({
        ...one,
        elements: elements.map(({ element, timeout }) => ({ element, timeout: timeout + 1_001 })),
      })),
    ]
  })

function outcome(result: ReturnType<Nftables['change']>): string {
  return result.ok ? 'done' : `${result.failure.code}${result.failure.missing ? ', missing' : ''}`
}

describe('both paths to the kernel', { skip }, () => {
  test('write the same and are refused alike', () => {
    using straight = opened('direct')
    using library = opened('text')
    const seen = new Set<string>()
    fc.assert(
      fc.property(fc.array(transaction, { minLength: 1, maxLength: 6 }), (transactions) => {
        for (const table of [direct, text]) assert.ok(library.run(renderTable(shape(table))).ok)
        for (const commands of transactions) {
          const said = outcome(straight.change(direct, commands))
          assert.equal(said, outcome(library.change(text, commands)))
          seen.add(said)
        }
        assert.deepEqual(listed(direct), listed(text))
      }),
      { numRuns: 60 },
    )
    for (const result of ['done', 'FIREWALL_REFUSED, missing']) assert.ok(seen.has(result), result)
  })

  const one = (key: string): Command => ({
    verb: 'add',
    set: 'accept4',
    elements: [{ element: { set: 'accept4', key }, timeout: 60_000 }],
  })

  for (const path of ['direct', 'text'] as const) {
    test(`a full set and a missing table are told apart (${path})`, () => {
      using nft = opened(path)
      const tiny = tableName('tiny')
      const type = 'type ipv4_addr . inet_proto . inet_service; flags timeout'
      assert.ok(nft.run(`table inet tiny { set accept4 { ${type}; size 1; }; }\n`).ok)
      assert.equal(outcome(nft.change(tiny, [one('192.0.2.1 . tcp . 22')])), 'done')
      assert.equal(outcome(nft.change(tiny, [one('192.0.2.1 . tcp . 23')])), 'FIREWALL_FULL')
      assert.equal(outcome(nft.change(tiny, [one('192.0.2.1 . tcp . 22')])), 'done')
      assert.ok(nft.run('delete table inet tiny\n').ok)
      assert.equal(outcome(nft.change(tiny, [one('192.0.2.1 . tcp . 22')])), 'FIREWALL_REFUSED, missing')
    })

    test(`a key that leads elsewhere already is refused (${path})`, () => {
      using nft = opened(path)
      assert.ok(nft.run(renderTable(shape(direct))).ok)
      const leading = (value: string): Command => {
        const element = { set: 'redir4', key: '192.0.2.1 . tcp . 80', value } as const
        return { verb: 'add', set: 'redir4', elements: [{ element, timeout: 60_000 }] }
      }
      assert.equal(outcome(nft.change(direct, [leading('22')])), 'done')
      assert.equal(outcome(nft.change(direct, [leading('25')])), 'FIREWALL_REFUSED')
      assert.equal(outcome(nft.change(direct, [leading('22')])), 'done')
    })

    test(`one command that fails leaves all others undone (${path})`, () => {
      using nft = opened(path)
      assert.ok(nft.run(renderTable(shape(direct))).ok)
      const absent = { verb: 'delete', set: 'fwd4', elements: one('192.0.2.9 . tcp . 1').elements } as const
      const commands = [one('192.0.2.1 . tcp . 22'), absent, one('192.0.2.2 . tcp . 22')]
      assert.equal(outcome(nft.change(direct, commands)), 'FIREWALL_REFUSED, missing')
      assert.doesNotMatch(server.must(['nft', 'list', 'table', 'inet', 'direct']), /elements = \{ 192/)
      assert.equal(outcome(nft.change(direct, [one('192.0.2.1 . tcp . 22')])), 'done')
    })

    test(`after it is closed it changes nothing (${path})`, () => {
      const nft = opened(path)
      assert.ok(nft.run(renderTable(shape(direct))).ok)
      nft.close()
      nft.close()
      assert.equal(outcome(nft.change(direct, [one('192.0.2.1 . tcp . 22')])), 'FIREWALL_REFUSED')
      assert.equal(netfilterSockets().size, 0)
    })
  }

  test('more than the socket takes goes as text, still in one transaction', () => {
    using nft = opened('direct')
    assert.ok(nft.run(renderTable(shape(direct))).ok)
    const elements = Array.from({ length: 8_000 }, (_, i) => ({
      element: {
        set: 'accept4',
        key: `${addressFromBytes(Uint8Array.of(10, 0, i >> 8, i & 0xff))} . tcp . 22`,
      } as const,
      timeout: 600_000,
    }))
    assert.equal(outcome(nft.change(direct, [{ verb: 'add', set: 'accept4', elements }])), 'done')
    const count = (): number =>
      server.must(['nft', 'list', 'set', 'inet', direct, 'accept4']).match(/10\.0\.\d+\.\d+ /g)?.length ?? 0
    assert.equal(count(), 8_000)
    // The socket serves both paths in turns.
    assert.equal(
      outcome(nft.change(direct, [{ verb: 'delete', set: 'accept4', elements: elements.slice(0, 500) }])),
      'done',
    )
    assert.ok(nft.run(`list chain inet ${direct} gate\n`).ok)
    assert.equal(outcome(nft.change(direct, [one('192.0.2.1 . tcp . 22')])), 'done')
    assert.equal(count(), 7_500)
  })

  test('both are one address to the kernel, so both may change a table that it owns', () => {
    using nft = opened('direct')
    using other = opened('direct')
    assert.equal(nft.portIds.size, 1)
    const type = 'type ipv4_addr . inet_proto . inet_service; flags timeout'
    const made = nft.run(`table inet owned { flags owner; set accept4 { ${type}; size 10; }; }\n`)
    assert.ok(made.ok, JSON.stringify(made))
    const owned = tableName('owned')
    assert.equal(outcome(nft.change(owned, [one('192.0.2.1 . tcp . 22')])), 'done')
    assert.equal(outcome(other.change(owned, [one('192.0.2.2 . tcp . 22')])), 'FIREWALL_UNAVAILABLE')
    assert.match(server.must(['nft', 'list', 'table', 'inet', 'owned']), /192\.0\.2\.1/)
    nft.close()
    // The kernel removes it when the last descriptor of its owner's socket is closed.
    assert.equal(server.run(['nft', 'list', 'table', 'inet', 'owned']).status, 1)
  })
})
