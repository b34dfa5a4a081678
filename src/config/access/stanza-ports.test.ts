import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeRanges } from '../../access/spa-port.ts'
import { type LoadedConfig, loadConfig } from '../load.ts'
import { filesFromSnapshot } from '../reading/config-files.ts'
import { type CaptureConfig, capturedPorts } from '../server/server-config.ts'
import { formatCapturePort } from '../server/spa-ports.ts'

/** A stanza for each value of SPA_PORT; '' is one without. */
function load(server: string, ...ports: readonly string[]) {
  const access = ports.map((at, i) => `SOURCE ANY\nKEY a${i}\nHMAC_KEY b${i}\n${at === '' ? '' : `SPA_PORT ${at}\n`}`)
  const texts = { '/fwknopd.conf': server, '/access.conf': access.join('') }
  return loadConfig(filesFromSnapshot({ texts, folders: {}, failures: {} }), { server: '/fwknopd.conf' })
}

function loaded(server: string, ...ports: readonly string[]): LoadedConfig {
  const config = load(server, ...ports)
  assert.ok(config.ok, config.ok ? '' : config.failure.detail)
  return config.value
}

const portsOf = (capture: CaptureConfig | undefined): string =>
  capture === undefined ? 'none' : capturedPorts(capture).map(formatCapturePort).join(' ')

const taken: [server: string, ports: string[], captured: string, shared: string][] = [
  ['', [''], '62201', 'every port'],
  ['', ['', '5001', '5003, 5002'], '62201 5001-5003', '62201'],
  ['SPA_PORTS 53, 10000-10010;', ['7000-7005', '7003-7009'], '53 10000-10010 7000-7009', '53 10000-10010'],
  ['PCAP_FILTER udp port 40000;', ['40000', '40001'], '40000 40000-40001', '40000'],
  ['CAPTURE udp;', ['5001', '', '5002'], '62201 5001 5002', '62201'],
  ['CAPTURE packet, tcp;\nTCPSERV_PORT 8000;', ['5001'], '62201 5001', '8000 62201'],
  ['PCAP_FILE /knocks.pcap;', ['5001'], '62201 5001', '62201'],
]
for (const [server, ports, captured, shared] of taken)
  test(`${server || 'the defaults'} and SPA_PORT ${ports.join('; ')}: ${captured} are captured`, () => {
    const { server: config, policy } = loaded(server, ...ports)
    assert.equal(portsOf(config.captures[0]), captured)
    const text = policy.sharedPorts?.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    assert.equal(text?.join(' ') ?? 'every port', shared)
  })

test('a UDP socket for a stanza is a port that no grant leads elsewhere', () => {
  const { server } = loaded('CAPTURE udp;', '5001')
  assert.deepEqual('knocks' in server.firewall && server.firewall.knocks?.map(({ port }) => port), [62201, 5001])
})

const far = (count: number): string[] => Array.from({ length: count }, (_, i) => `${2000 + 2 * i}`)
const refused: [server: string, ports: string[], detail: RegExp][] = [
  ['CAPTURE tcp;', ['5001'], /takes no UDP packets/],
  ['PCAP_FILTER tcp port 80;', ['', '5001'], /says more than UDP ports/],
  ['CAPTURE packet, udp;\nPCAP_FILTER tcp port 80;', ['5001'], /packet and udp/],
  ['CAPTURE udp;', ['5001-5002'], /cannot listen on the range of ports 5001-5002/],
  ['CAPTURE udp;', far(64), /65 ports/],
  ['', far(1024), /1025 separate ranges/],
]
for (const [server, ports, detail] of refused)
  test(`${server || 'the defaults'} and ${ports.length} stanzas, the last at ${ports.at(-1)}: refused`, () => {
    const config = load(server, ...ports)
    assert.ok(!config.ok)
    assert.equal(config.failure.code, 'CONFIG_CONFLICT')
    assert.match(config.failure.detail, /^SPA_PORT: /)
    assert.match(config.failure.detail, detail)
    assert.equal(config.failure.at?.file, '/access.conf')
  })

const invalid: [value: string, suggestion: string | undefined][] = [
  ['0', undefined],
  ['70000', undefined],
  ['9-5', '5-9'],
  ['udp/5001', '5001'],
  ['ssh', undefined],
]
for (const [value, suggestion] of invalid)
  test(`SPA_PORT ${value} is refused, with its line`, () => {
    const config = load('', value)
    assert.ok(!config.ok)
    assert.equal(config.failure.code, 'CONFIG_INVALID_VALUE')
    assert.deepEqual(config.failure.at, { file: '/access.conf', line: 4 })
    assert.equal(config.failure.suggestion, suggestion)
  })

test('ranges that touch or overlap are one', () => {
  const ranges = [
    [5, 5],
    [1, 3],
    [4, 4],
    [2, 2],
    [7, 9],
  ].map(([first, last]) => ({ first, last }) as never)
  assert.deepEqual(mergeRanges(ranges), [
    { first: 1, last: 5 },
    { first: 7, last: 9 },
  ])
})
