/** The reader of the suite's capture files, with files of our own: what it calls passed, and what failed. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { encodeText } from '../../src/bytes/text.ts'
import { stanza } from '../support/daemon.ts'
import { Network, netnsUnavailable } from '../support/netns.ts'
import { framesOf, pcap } from '../support/pcap-writer.ts'
import { sealedPacket } from '../support/sealed.ts'
import { udpFrame } from '../support/udp-frame.ts'
import { judgePcapFiles } from './pcap-files.ts'

const program = [
  process.execPath,
  '--conditions=ghostport-source',
  fileURLToPath(new URL('../../src/cli/fwknopd.ts', import.meta.url)),
]

describe('capture files', { skip: netnsUnavailable() }, () => {
  let net: Network
  before(async () => {
    net = await Network.create()
  })
  after(() => net?.close())

  it('pass if they open for the right addresses, each once', async () => {
    const folder = net.directory()
    const frame = (source: string) => {
      const packet = udpFrame({ source, destination: '198.51.100.1', checksum: 1, payload: encodeText(sealedPacket()) })
      return framesOf(packet)['ethernet']?.[1] as Uint8Array
    }
    writeFileSync(join(folder, 'fwknopd.conf'), '')
    writeFileSync(join(folder, 'access.conf'), stanza())
    writeFileSync(join(folder, 'one.pcap'), pcap([frame('192.0.2.1')]))
    writeFileSync(join(folder, 'two.pcap'), pcap([frame('192.0.2.1'), frame('192.0.2.2')]))
    const [server, access] = ['fwknopd.conf', 'access.conf']
    const good = await judgePcapFiles(net, folder, program, [
      { file: 'one.pcap', server, access, opensFor: ['192.0.2.1'] },
      { file: 'two.pcap', server, access, opensFor: ['192.0.2.1', '192.0.2.2'] },
    ])
    const deaf = { file: 'one.pcap', server, access, filter: 'udp port 9', opensFor: ['192.0.2.1'] } as const
    const results = [...good, ...(await judgePcapFiles(net, folder, program, [deaf], 3_000))]
    assert.deepEqual(
      results.map(({ name, outcome }) => [name, outcome]),
      [
        ['[pcap file] one.pcap', 'passed'],
        ['[pcap file] two.pcap', 'passed'],
        ['[pcap file] one.pcap', 'failed'],
      ],
    )
  })
})
