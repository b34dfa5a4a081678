import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { CaptureConfig, InterfaceChecks, ServerConfig } from '../../../config/server/server-config.ts'
import { MemoryLog } from '../../../log.ts'
import type { IpAddress } from '../../../packet/address.ts'
import { milliseconds, port, seconds } from '../../../units.ts'
import type { AddressLook } from './addresses.ts'
import type { LinkLook, LinkState } from './conditions.ts'
import { InterfaceWatch, type InterfaceWatchParts } from './interface-watch.ts'

const ALL: InterfaceChecks = {
  interval: seconds(20),
  exists: true,
  running: true,
  bytes: true,
  addresses: true,
  received: true,
}
const FINE: LinkState = { index: 2, isUp: true, isRunning: true, rxBytes: 1000, txBytes: 500 }
const CAPTURE: CaptureConfig = { kind: 'packet', interfaces: ['eth0'], ports: [], maxBytes: 1500 }

function addressesOf(names: Readonly<Record<string, string>>): AddressLook {
  return new Map(Object.entries(names)) as unknown as AddressLook
}

/** A watch over a host of values. Only timers are false. */
function watched({ interfaces = ['eth0'], kind = 'packet' }: Partial<CaptureConfig> = {}) {
  const log = new MemoryLog()
  const host: {
    links: LinkLook
    addresses?: AddressLook
    fault?: string
    whose?: string
    asked: number
    closed: number
  } = {
    links: new Map([['eth0', FINE]]),
    addresses: addressesOf({ '192.0.2.1': 'eth0' }),
    asked: 0,
    closed: 0,
  }
  let server: Pick<ServerConfig, 'captures' | 'interfaceChecks' | 'firewall'> = {
    captures: [{ ...CAPTURE, interfaces, kind }],
    interfaceChecks: ALL,
    firewall: {
      kind: 'relay',
      listeners: [{ address: '192.0.2.1' as IpAddress, port: port(80), decoy: 'reset' }],
      maxGrants: 1,
    },
  }
  const policy = {
    stanzas: [],
    nat: { forward: false, local: false, translation: 'none', resolveNames: true },
  } as const
  let changed = 0
  const clock = { now: 0 }
  const watch = new InterfaceWatch({
    open: async () => ({
      look(_, whose) {
        host.asked++
        host.whose = whose
        const { links, addresses, fault } = host
        return {
          links,
          ...(addresses !== undefined && whose !== 'none' && { addresses }),
          ...(fault !== undefined && { fault }),
        }
      },
      nameOf: (index) => `eth${index}`,
      close() {
        host.closed++
      },
    }),
    settings: () => ({ server, policy }),
    onAddresses: () => changed++,
    log,
    now: () => milliseconds(clock.now),
  })
  return {
    ...{ log, host, watch },
    changes: () => changed,
    configure(checks: InterfaceChecks | undefined) {
      const { interfaceChecks: _, ...rest } = server
      server = { ...rest, ...(checks && { interfaceChecks: checks }) }
    },
    pass(time: number) {
      clock.now += time
      mock.timers.tick(time)
    },
    events: () => log.records.map(({ level, event, fields }) => [level, event, fields['code'] ?? fields['detail']]),
  }
}

test('what begins and what ends has one line each', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const it = watched()
    await it.watch.begin()
    assert.deepEqual(it.events(), [])
    it.host.links = new Map([['eth0', null]])
    for (let i = 0; i < 5; i++) it.pass(20_000)
    assert.equal(it.host.asked, 6)
    assert.deepEqual(it.events(), [['warning', 'interface', 'INTF_MISSING']])
    assert.deepEqual(
      it.watch.current().map(({ code, seconds: held }) => [code, held]),
      [['INTF_MISSING', 80]],
    )
    it.host.links = new Map([['eth0', FINE]])
    it.pass(20_000)
    assert.deepEqual(it.events().slice(1), [['info', 'interface mended', 'INTF_MISSING']])
    assert.equal(it.log.records[1]?.fields['lasted'], 100)
    assert.deepEqual(it.watch.current(), [])
    it.watch.close()
    it.pass(100_000)
    assert.equal(it.host.asked, 7)
    assert.equal(it.host.closed, 1)
  } finally {
    mock.timers.reset()
  }
})

test('an interface that cannot be asked for is as it was, and the reason is told once', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const it = watched()
    it.host.links = new Map([['eth0', null]])
    await it.watch.begin()
    it.host.links = new Map()
    it.host.fault = 'no memory'
    it.pass(20_000)
    it.pass(20_000)
    assert.deepEqual(it.events(), [
      ['warning', 'interface', 'INTF_MISSING'],
      ['warning', 'interfaces not watched', 'no memory'],
    ])
    assert.equal(it.watch.current().length, 1)
    it.watch.close()
  } finally {
    mock.timers.reset()
  }
})

test('a status looks itself, at most once a second', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const it = watched()
    await it.watch.begin()
    it.watch.current()
    assert.equal(it.host.asked, 1)
    it.pass(1000)
    it.watch.current()
    it.watch.current()
    assert.equal(it.host.asked, 2)
    it.watch.close()
  } finally {
    mock.timers.reset()
  }
})

test('a reload changes the interval, switches the checks off, and on again', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const it = watched()
    await it.watch.begin()
    it.configure({ ...ALL, interval: seconds(5) })
    it.pass(20_000)
    it.pass(5000)
    assert.equal(it.host.asked, 3)
    it.host.links = new Map([['eth0', null]])
    it.configure(undefined)
    it.pass(5000)
    it.pass(20_000)
    assert.equal(it.host.asked, 3)
    assert.deepEqual(it.watch.current(), [])
    it.configure(ALL)
    it.pass(20_000)
    assert.deepEqual(it.events(), [['warning', 'interface', 'INTF_MISSING']])
    it.watch.close()
  } finally {
    mock.timers.reset()
  }
})

test('an address that changes is told once, with the settings that name it, and the last one that goes', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const it = watched()
    await it.watch.begin()
    assert.equal(it.host.whose, 'named')
    it.host.addresses = addressesOf({ '192.0.2.1': 'eth0', '2001:db8::1': 'eth0' })
    it.pass(20_000)
    it.pass(20_000)
    it.host.addresses = addressesOf({})
    it.pass(20_000)
    it.pass(20_000)
    delete it.host.addresses
    it.host.fault = 'no memory'
    it.pass(20_000)
    delete it.host.fault
    it.host.addresses = addressesOf({ '192.0.2.9': 'eth0' })
    it.pass(20_000)
    assert.deepEqual(
      it.log.records.map(({ level, event, fields: { text: _, cure: __, ...fields } }) => [level, event, fields]),
      [
        ['info', 'addresses', { added: ['2001:db8::1 eth0'] }],
        [
          'warning',
          'addresses',
          { removed: ['192.0.2.1 eth0', '2001:db8::1 eth0'], stillNamedBy: ['RELAY 192.0.2.1:80'] },
        ],
        ['warning', 'interface', { code: 'INTF_NO_ADDRESS', interface: 'eth0' }],
        ['warning', 'interfaces not watched', { detail: 'no memory' }],
        ['info', 'addresses', { added: ['192.0.2.9 eth0'] }],
        ['info', 'interface mended', { code: 'INTF_NO_ADDRESS', interface: 'eth0', lasted: 60 }],
      ],
    )
    assert.equal(it.changes(), 3)
    it.configure({ ...ALL, addresses: false })
    it.host.addresses = addressesOf({})
    it.pass(20_000)
    assert.equal(it.log.records.length, 6)
    it.watch.close()
  } finally {
    mock.timers.reset()
  }
})

test('an interface that never had an address, or does not run, is not told to have lost it', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const it = watched()
    it.host.addresses = addressesOf({})
    await it.watch.begin()
    it.pass(20_000)
    assert.deepEqual(it.watch.current(), [])
    it.host.addresses = addressesOf({ '192.0.2.1': 'eth0' })
    it.pass(20_000)
    it.host.addresses = addressesOf({})
    it.host.links = new Map([['eth0', null]])
    it.pass(20_000)
    assert.deepEqual(
      it.watch.current().map(({ code }) => code),
      ['INTF_MISSING'],
    )
    it.watch.close()
  } finally {
    mock.timers.reset()
  }
})

test('with PCAP_INTF any, the addresses of all interfaces count', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const it = watched({ interfaces: 'any' })
    it.host.links = new Map()
    await it.watch.begin()
    assert.equal(it.host.whose, 'all')
    const many = Array.from({ length: 30 }, (_, i) => [`10.0.0.${i}`, `veth${i}`] as const)
    it.host.addresses = addressesOf({ '192.0.2.1': 'eth0', ...Object.fromEntries(many) })
    it.pass(20_000)
    it.host.addresses = addressesOf({})
    it.pass(20_000)
    const [came] = it.log.records
    assert.equal((came?.fields['added'] as string[] | undefined)?.length, 8)
    assert.equal(came?.fields['more'], 22)
    assert.deepEqual(
      it.watch.current().map(({ code, interface: name, text }) => [code, name, text]),
      [['INTF_NO_ADDRESS', 'any', 'this host has no address any more, so no knock can be sent to it']],
    )
    it.watch.close()
  } finally {
    mock.timers.reset()
  }
})

test('packets of a file come from no interface', async () => {
  const it = watched({ kind: 'pcap-file' })
  await it.watch.begin()
  assert.deepEqual(it.watch.current(), [])
  assert.equal(it.host.asked, 0)
})

/** A watch over a UDP socket, with a witness of values. */
function witnessed(openWitness: InterfaceWatchParts['openWitness']) {
  const log = new MemoryLog()
  const receiver = { received: 0, isThere: true }
  const watch = new InterfaceWatch({
    open: async () => ({ look: () => ({ links: new Map() }), nameOf: () => undefined, close() {} }),
    settings: () => ({
      server: {
        captures: [{ ...CAPTURE, kind: 'udp', interfaces: 'any', ports: [port(62201)] }],
        interfaceChecks: ALL,
        firewall: { kind: 'relay', listeners: [{ port: port(80), decoy: 'reset' }], maxGrants: 1 },
      },
      policy: { stanzas: [], nat: { forward: false, local: false, translation: 'none', resolveNames: true } },
    }),
    reception: async () => (receiver.isThere ? { received: receiver.received } : undefined),
    ...(openWitness && { openWitness }),
    log,
  })
  const looks = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      mock.timers.tick(20_000)
      for (let turns = 0; turns < 10; turns++) await Promise.resolve()
    }
  }
  return { log, watch, receiver, looks, codes: () => log.records.map(({ event, fields }) => [event, fields['code']]) }
}

test('what a witness counts and the receiver does not get is told, unless there is no receiver', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const witness = { packets: 10, opened: 0, closed: 0 }
    const it = witnessed(async () => {
      witness.opened++
      return { ok: true, value: { count: () => witness.packets, close: () => witness.closed++ } }
    })
    await it.watch.begin()
    await it.looks(4)
    assert.deepEqual(it.codes(), [], 'what it counted before the first look is not new')
    it.receiver.isThere = false
    witness.packets += 5
    await it.looks(4)
    assert.deepEqual(it.codes(), [])
    assert.deepEqual([witness.opened, witness.closed], [1, 1])
    it.receiver.isThere = true
    await it.looks(1)
    witness.packets += 5
    await it.looks(3)
    assert.deepEqual(it.codes(), [['interface', 'INTF_UNHEARD']])
    it.receiver.received++
    await it.looks(1)
    assert.deepEqual(it.codes().slice(1), [['interface mended', 'INTF_UNHEARD']])
    it.watch.close()
    assert.deepEqual([witness.opened, witness.closed], [2, 2])
  } finally {
    mock.timers.reset()
  }
})

test('without a witness, one notice says so', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let opened = 0
    const it = witnessed(async () => {
      opened++
      return { ok: false, failure: { code: 'CAPTURE_FAILED', detail: 'not allowed' } }
    })
    await it.watch.begin()
    await it.looks(5)
    assert.equal(opened, 1)
    assert.deepEqual(
      it.log.records.map(({ level, event, fields }) => [level, event, fields['text']]),
      [['info', 'notice', 'whether packets arrive that the UDP socket does not get is not watched: not allowed']],
    )
    it.watch.close()
  } finally {
    mock.timers.reset()
  }
})
