/** The published package is bundled. In the bundle, too, the server finds its receiver, and the client knocks. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { type CompiledPackage, compilePackage } from '../support/compiled.ts'
import { clientAndServer, Daemon, keys, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

describe('the compiled package', { skip: netnsUnavailable(), timeout: 500_000 }, () => {
  let compiled: CompiledPackage
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    compiled = compilePackage()
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    // A socket gets what the firewall lets through.
    server.must(['nft', 'insert', 'rule', 'inet', 'filter', 'input', 'udp', 'dport', '62201', 'accept'])
    await server.listen([{ protocol: 'tcp', port: 80, banner: 'web' }])
  })
  after(async () => {
    await net?.close()
    compiled?.[Symbol.dispose]()
  })

  it('runs commands, and has a process for webhooks', async () => {
    const folder = net.directory()
    writeFileSync(`${folder}/key`, 'k'.repeat(32), { mode: 0o600 })
    const daemon = await Daemon.start(net, server, {
      server: ['WEBHOOK_URL http://127.0.0.1:9/', `WEBHOOK_KEY_FILE ${folder}/key`],
      access: stanza(['ENABLE_CMD_EXEC Y', 'CMD_REGEX ps .*']),
      program: compiled.command,
    })
    try {
      const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
      const words = ['knock', '--no-rc-file', '-s', '-D', SERVER, ...secrets, '-C', 'ps -eo args']
      const knocked = client.run([...compiled.command, ...words])
      assert.equal(knocked.status, 0, knocked.stderr)
      const ended = await daemon.until(({ event }) => event === 'command')
      assert.equal(ended['status'], 0)
      assert.match(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }), /^ghostport: sender$/m)
    } finally {
      await daemon.stop()
    }
  })

  for (const [capture, door] of [
    ['packet', 22],
    ['udp', 80],
  ] as const)
    it(`opens the door: CAPTURE ${capture}`, async () => {
      const daemon = await Daemon.start(net, server, {
        server: [`CAPTURE ${capture}`],
        access: stanza(['FW_ACCESS_TIMEOUT 5']),
        program: compiled.command,
      })
      try {
        const words = ['--no-rc-file', '-A', `tcp/${door}`, '-a', '10.9.0.1', '--wait']
        const secrets = ['--key-rijndael', keys.key, '--key-hmac', keys.hmac]
        const knocked = client.run([...compiled.command, 'knock', '-D', SERVER, ...secrets, ...words])
        assert.equal(knocked.status, 0, knocked.stderr + daemon.program.output)
        assert.match(knocked.stdout, new RegExp(`^open after [\\d.]+ ms: ${SERVER} port ${door}$`, 'm'))
      } finally {
        await daemon.stop()
      }
    })
})
