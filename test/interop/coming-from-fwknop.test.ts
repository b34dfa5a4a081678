/**
 * A server that changes from fwknopd (Debian's package, in UDP mode) to `ghostport serve`. Packets used there are used
 * here, although no file names the place of fwknopd's record.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, keys, knock, type LogEvent, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { startFwknopd } from './client-fwknopd.ts'

const SERVER = '10.9.0.2'

describe('ghostport in the place of an fwknopd', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let runFolder: string
  let packet: string

  before(async () => {
    net = await Network.create()
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    runFolder = net.directory()
    const lines = [
      ['SOURCE', 'ANY'],
      ['NAME', 'ada'],
      ['KEY', keys.key],
      ['HMAC_KEY', keys.hmac],
      ['FW_ACCESS_TIMEOUT', '3'],
    ] as const
    const fwknopd = await startFwknopd(net, server, [lines], runFolder)
    const saved = join(net.directory(), 'packet')
    const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
    const words = ['fwknop', '--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none', '-D', SERVER]
    client.must([...words, ...secrets, '-s', '-A', 'tcp/22', '-B', saved])
    packet = readFileSync(saved, 'utf8').trim()
    await client.until('ssh', { protocol: 'tcp', address: SERVER, port: 22 })
    // One file for both, as docs/FROM-FWKNOP.md says: fwknopd ignores our own settings, and opens.
    assert.match(fwknopd.output, /unknown access parameter: 'NAME'/)
    await fwknopd.stop()
    server.must(['iptables', '-I', 'INPUT', '-m', 'connmark', '--mark', '0x200000/0x200000', '-j', 'ACCEPT'])
  })
  after(() => net?.close())

  const send = (): void => {
    sendPacket(client, SERVER, packet)
  }
  const imports = (daemon: Daemon): LogEvent[] => daemon.events.filter(({ event }) => event === 'import')
  const access = stanza(['FW_ACCESS_TIMEOUT 3'])

  it('refuses a packet that fwknopd has seen, says what was taken over, and opens to the next one', async () => {
    assert.ok(existsSync(join(runFolder, 'digest.cache')), 'where fwknopd keeps it')
    const daemon = await Daemon.start(net, server, { server: [`FWKNOP_RUN_DIR ${runFolder}`], access })
    const [taken, ...more] = imports(daemon)
    assert.deepEqual(
      [more.length, taken?.level, taken?.['file'], taken?.['taken'], taken?.['malformed']],
      [0, 'info', join(runFolder, 'digest.cache'), 1, 0],
    )
    assert.equal((await daemon.verdictAfter(send)).code, 'SPA_REPLAYED')
    const next = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
    assert.equal(next.verdict, 'granted', JSON.stringify(next))
    assert.equal(await client.tcp(SERVER, 22), 'ssh')

    await daemon.restart()
    assert.equal(imports(daemon).length, 0, 'it has not changed since')
    assert.equal((await daemon.verdictAfter(send)).code, 'SPA_REPLAYED')
    await daemon.stop()
  })

  it('would open to it again if that record were not there: then nothing is said of it', async () => {
    const daemon = await Daemon.start(net, server, { server: [`FWKNOP_RUN_DIR ${net.directory()}`], access })
    assert.deepEqual(imports(daemon), [])
    assert.equal((await daemon.verdictAfter(send)).verdict, 'granted')
    await daemon.stop()
  })

  it('misses a record that the file names', async () => {
    const missing = join(runFolder, 'old.cache')
    const daemon = await Daemon.start(net, server, { server: [`DIGEST_FILE ${missing}`], access })
    const [missed, ...more] = imports(daemon)
    assert.deepEqual([more.length, missed?.level, missed?.['file']], [0, 'warning', missing])
    await daemon.stop()
  })
})
