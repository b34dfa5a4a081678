import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { CaptureConfig, InterfaceChecks, ServerConfig } from '../../../config/server/server-config.ts'
import { MemoryLog } from '../../../log.ts'
import { milliseconds, seconds } from '../../../units.ts'
import type { LinkLook, LinkState } from './conditions.ts'
import { InterfaceWatch } from './interface-watch.ts'

const ALL: InterfaceChecks = { interval: seconds(20), exists: true, running: true, bytes: true }
const FINE: LinkState = { index: 2, isUp: true, isRunning: true, rxBytes: 1000, txBytes: 500 }
const CAPTURE: CaptureConfig = { kind: 'packet', interfaces: ['eth0'], ports: [], maxBytes: 1500 }

/** A watch over a host of values. Only timers are false. */
function watched({ interfaces = ['eth0'] }: { interfaces?: CaptureConfig['interfaces'] } = {}) {
  const log = new MemoryLog()
  const host: { links: LinkLook; fault?: string; asked: number; closed: number } = {
    links: new Map([['eth0', FINE]]),
    asked: 0,
    closed: 0,
  }
  let server: Pick<ServerConfig, 'captures' | 'interfaceChecks'> = {
    captures: [{ ...CAPTURE, interfaces }],
    interfaceChecks: ALL,
  }
  const clock = { now: 0 }
  const watch = new InterfaceWatch({
    open: async () => ({
      look() {
        host.asked++
        return { links: host.links, ...(host.fault !== undefined && { fault: host.fault }) }
      },
      close() {
        host.closed++
      },
    }),
    server: () => server,
    log,
    now: () => milliseconds(clock.now),
  })
  return {
    ...{ log, host, watch },
    configure(checks: InterfaceChecks | undefined) {
      server = { captures: server.captures, ...(checks && { interfaceChecks: checks }) }
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

test('with PCAP_INTF any there is nothing to look at', async () => {
  const it = watched({ interfaces: 'any' })
  await it.watch.begin()
  assert.deepEqual(it.watch.current(), [])
  assert.equal(it.host.asked, 0)
})
