import assert from 'node:assert/strict'
import { test } from 'node:test'
import { absentInterfaces, interfacesOfHost, parseDeviceList } from './interfaces.ts'

test('the interfaces are those of /proc/net/dev, with or without an address', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop',
    '    lo:  123    4    0    0    0     0          0         0      123       4    0    0',
    'enp0s31f6:   0       0    0    0    0     0          0         0        0       0    0    0',
    '',
  ].join('\n')
  assert.deepEqual(parseDeviceList(text), ['lo', 'enp0s31f6'])
  assert.ok(interfacesOfHost()?.includes('lo'))
})

const config = (kind: 'packet' | 'udp', interfaces: 'any' | readonly string[]) =>
  ({
    server: { captures: [{ kind, interfaces }] },
    at: { PCAP_INTF: { file: 'f', line: 7 } },
  }) as unknown as Parameters<typeof absentInterfaces>[0]
const texts = (...given: Parameters<typeof config>) =>
  absentInterfaces(config(...given), ['lo', 'eth0']).map(({ level, text, at }) => `${level} ${at?.line}: ${text}`)

test('an interface that is absent is named, and those that are present', () => {
  assert.deepEqual(texts('packet', ['ens3']), [
    'warning 7: PCAP_INTF: there is no interface “ens3” now. No knock is heard until it appears. This host has: lo, eth0',
  ])
  assert.match(texts('packet', ['eth0', 'ens3']).join(), /Nothing is heard there until it appears/)
  assert.match(texts('packet', ['a', 'b']).join(), /no interfaces “a” and “b”/)
})

test('without a line in the file it was the flag that named it', () => {
  const { server } = config('packet', ['ens3'])
  assert.match(
    absentInterfaces({ server, at: {} }, ['lo'])
      .map(({ text }) => text)
      .join(),
    /^-i: there is no interface “ens3”/,
  )
})

test('nothing is said where all are present, where any will do, or where none counts', () => {
  assert.deepEqual(texts('packet', ['eth0', 'lo']), [])
  assert.deepEqual(texts('packet', 'any'), [])
  assert.deepEqual(texts('udp', ['ens3']), [])
})
