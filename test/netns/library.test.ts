/**
 * Runs the library example of README.md unchanged in a program of its own, with the built package, on a client. The
 * server runs `ghostport serve`.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type CompiledPackage, compilePackage } from '../support/compiled.ts'
import { clientAndServer, Daemon, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

// Keys of rc files have no blanks.
const KEY = 'a-key-for-tests'
const HMAC = 'another-key-for-tests'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const [, lines = ''] = /^## As a library$[\s\S]*?^```ts\n([\s\S]*?)^```$/m.exec(readme) ?? []

describe('README.md, “As a library”', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let daemon: Daemon
  let built: CompiledPackage

  before(async () => {
    built = compilePackage()
    net = await Network.create()
    const hosts = await clientAndServer(net)
    client = hosts[0]
    daemon = await Daemon.start(net, hosts[1], { access: stanza([], { key: KEY, hmac: HMAC }) })
  })
  after(async () => {
    await net?.close()
    built?.[Symbol.dispose]()
  })

  /** In a folder whose program has the package installed, and whose rc file has the stanza of the lines. */
  function run(key: string): Outcome {
    const folder = net.directory()
    const settings = { SPA_SERVER: SERVER, ACCESS: 'tcp/22', ALLOW_IP: 'source', KEY: key, HMAC_KEY: HMAC }
    const rc = Object.entries(settings).map(([name, value]) => `${name} ${value}`)
    writeFileSync(join(folder, '.fwknoprc'), ['[myserver]', ...rc, ''].join('\n'), { mode: 0o600 })
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(built.folder, join(folder, 'node_modules', 'ghostport'))
    const program = join(folder, 'program.mjs')
    writeFileSync(program, lines)
    return client.run([process.execPath, program], { env: { HOME: folder } })
  }

  it('is five lines', () => assert.equal(lines.trimEnd().split('\n').length, 5, lines))

  it('says why the port may have stayed shut', () => {
    const { status, stdout, stderr } = run('not-the-key')
    assert.deepEqual([status, stdout], [0, ''])
    assert.match(stderr, /^PORT_NOT_OPEN 10\.9\.0\.2 port 22 does not answer/)
    assert.match(
      stderr,
      /'The keys, the HMAC digest type or the encryption mode are not those of the server’s stanza\.'/,
    )
  })

  it('opens the port, and says where', async () => {
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 300 }), 'timeout', 'before the knock')
    const { status, stdout, stderr } = run(KEY)
    assert.deepEqual([status, stdout, stderr], [0, `open: ${SERVER} 22\n`, ''])
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
    await daemon.until(({ verdict }) => verdict === 'granted')
  })
})
