/**
 * A webhook over TLS, to a server whose certificate an authority of our own signed (WEBHOOK_CA_FILE). Servers that
 * attack the sender are in `src/daemon/sender/post.test.ts`.
 *
 *   client 10.9.0.1 ── server 10.9.0.2, with a web server on its loopback
 */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientAndServer, Daemon, ghostportCommand, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { childOf } from '../support/processes.ts'
import { makeAuthority } from '../support/tls-certificate.ts'

const WEB_SERVER = `
  const { readFileSync } = require('node:fs')
  const [folder] = process.argv.slice(1)
  const [key, cert] = ['tls.key', 'tls.pem'].map((name) => readFileSync(folder + '/' + name))
  require('node:https').createServer({ key, cert }, (request, answer) => {
    console.log('told ' + request.headers['x-ghostport-event'])
    answer.writeHead(204).end()
  }).listen(8443, '127.0.0.1', () => console.log('listening'))
`

describe('a webhook over TLS', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let folder: string
  const authority = makeAuthority('ours')

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    folder = net.directory()
    const { key, cert } = authority.issue(['DNS:localhost'])
    for (const [name, text] of [
      ['tls.key', key],
      ['tls.pem', cert],
      ['webhook.key', 'a key of 32 characters for tests'],
      // The sender gets the certificates of this file, and not the key.
      ['authority.pem', `${authority.key}# ours\n${authority.cert}`],
    ] as const)
      writeFileSync(`${folder}/${name}`, text, { mode: 0o600 })
    const web = server.start([process.execPath, '-e', WEB_SERVER, folder])
    await web.says(/listening/)
    daemon = await Daemon.start(net, server, { server: settings(), access: stanza(['OPEN_PORTS tcp/22']) })
  })
  after(() => net?.close())

  const settings = (file = `${folder}/authority.pem`): readonly string[] => [
    'WEBHOOK_URL https://localhost:8443/',
    `WEBHOOK_KEY_FILE ${folder}/webhook.key`,
    `WEBHOOK_CA_FILE ${file}`,
  ]
  async function delivered(count: number): Promise<void> {
    // Nothing is counted before the first is delivered.
    const none = { delivered: 0, failed: 0 }
    const counts = () => (daemon.status()['commands'] as { webhook?: typeof none }).webhook ?? none
    for (let i = 0; i < 100 && counts().delivered < count; i++) await delay(100)
    assert.deepEqual([counts().delivered, counts().failed], [count, 0])
  }

  it('is delivered, also by the sender that follows one that died', async () => {
    knock(client, SERVER, '-s', '-A', 'tcp/22')
    await delivered(1)
    const sender = childOf(childOf(daemon.pid, 'ghostport: executor'), 'ghostport: sender')
    process.kill(sender, 'SIGKILL')
    const executor = childOf(daemon.pid, 'ghostport: executor')
    for (let i = 0; i < 200 && [0, sender].includes(childOf(executor, 'ghostport: sender')); i++) await delay(50)
    knock(client, SERVER, '-s', '-A', 'tcp/22')
    await delivered(2)
  })

  for (const [what, text, mode, code, says] of [
    ['is not there', undefined, 0o644, 'CONFIG_UNREADABLE', /WEBHOOK_CA_FILE: .*does not exist|no such file/],
    ['others can change', authority.cert, 0o666, 'CONFIG_EXPOSED', /WEBHOOK_CA_FILE: .*can be changed by others/],
    ['holds no certificate', authority.key, 0o644, 'CONFIG_UNREADABLE', /holds no certificate in PEM form/],
    ['is cut', authority.cert.replace(/.{9}\n-----END/, '\n-----END'), 0o644, 'CONFIG_UNREADABLE', /cannot be read/],
  ] as const)
    it(`refuses a file of authorities that ${what}, at a start and at a check`, () => {
      const file = `${folder}/other.pem`
      if (text !== undefined) {
        writeFileSync(file, text)
        chmodSync(file, mode)
      }
      daemon.configure({ server: settings(file), access: stanza() })
      const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
      for (const words of [
        ['serve', ...files, '--exit-parse-config'],
        ['check', ...files],
      ]) {
        const { status, stdout, stderr } = server.run(ghostportCommand(...words))
        assert.notEqual(status, 0)
        assert.match(stdout + stderr, says, words[0])
        assert.ok((stdout + stderr).includes(code) && (stdout + stderr).includes('fwknopd.conf:'), stdout + stderr)
      }
    })
})
