/**
 * Hooks: programs and a webhook are told of grants, refusals and ends, and admission waits for neither.
 *
 *   client 10.9.0.1 ── server 10.9.0.2, with a web server on its loopback
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parsePrivileges } from '../../src/system/privilege.ts'
import { clientAndServer, Daemon, knock, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { childOf } from '../support/processes.ts'
import { sealedPacket } from '../support/sealed.ts'

const KEY = 'a key of 32 characters for tests'

/** Answers 503 to the first request, then 204, and writes each down: headers and body in one line. */
const WEB_SERVER = `
  const { appendFileSync } = require('node:fs')
  let count = 0
  require('node:http').createServer((request, answer) => {
    let body = ''
    request.on('data', (chunk) => { body += chunk })
    request.on('end', () => {
      appendFileSync(process.argv[1], JSON.stringify({ headers: request.headers, body, url: request.url }) + '\\n')
      answer.writeHead(count++ === 0 ? 503 : 204)
      answer.end()
    })
  }).listen(8099, '127.0.0.1', () => console.log('listening'))
`

interface Told {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

describe('hooks', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let folder: string

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    folder = net.directory()
    chmodSync(folder, 0o777)
    writeFileSync(
      `${folder}/note`,
      `#!/bin/sh\nread -r line\necho "$1 $GHOSTPORT_EVENT $USER $line" >> ${folder}/notes\n`,
      { mode: 0o755 },
    )
    writeFileSync(`${folder}/hang`, '#!/bin/sh\nsleep 60\n', { mode: 0o755 })
    for (const name of ['notes', 'web']) {
      writeFileSync(`${folder}/${name}`, '')
      chmodSync(`${folder}/${name}`, 0o666)
    }
    writeFileSync(`${folder}/key`, `${KEY}\n`, { mode: 0o600 })
    chmodSync(folder, 0o755)
    const web = server.start([process.execPath, '-e', WEB_SERVER, `${folder}/web`])
    await web.says(/listening/)
    daemon = await Daemon.start(net, server, {
      server: [
        `HOOK_GRANT ${folder}/note granted`,
        `HOOK_REFUSAL ${folder}/note refused`,
        `HOOK_EXPIRY ${folder}/note expired`,
        'WEBHOOK_URL http://127.0.0.1:8099/hook?x=1',
        `WEBHOOK_KEY_FILE ${folder}/key`,
        'CMD_EXEC_TIMEOUT 2',
      ],
      access: stanza(['NAME ada', 'OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 1']),
    })
  })
  after(() => net?.close())

  const lines = (name: string): readonly string[] =>
    readFileSync(`${folder}/${name}`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
  async function until(name: string, is: (line: string) => boolean): Promise<string> {
    for (let i = 0; i < 500; i++) {
      const found = lines(name).find(is)
      if (found !== undefined) return found
      await delay(20)
    }
    assert.fail(`not told: ${is}\n${lines(name).join('\n')}\n${daemon.program.output}`)
  }
  const told = (): readonly Told[] => lines('web').map((line) => JSON.parse(line) as Told)

  it('run a program for a grant, its end, and a refusal', async () => {
    knock(client, SERVER, '-s', '-A', 'tcp/22')
    const granted = await until('notes', (line) => line.startsWith('granted grant nobody '))
    const event = JSON.parse(granted.slice('granted grant nobody '.length)) as Record<string, unknown>
    assert.deepEqual(
      [event['event'], event['name'], event['for'], event['open'], event['seconds'], event['version']],
      ['grant', 'ada', '10.9.0.1', ['tcp/22'], 1, 1],
    )
    const expired = await until('notes', (line) => line.startsWith('expired expiry nobody '))
    assert.match(expired, /"open":\["tcp\/22"\]/)
    knock(client, SERVER, '-s', '-A', 'tcp/80')
    const refused = await until('notes', (line) => line.startsWith('refused refusal nobody '))
    assert.match(refused, /"code":"ACCESS_PORT_DENIED"/)
  })

  it('send the same to the webhook, signed, and again until it is taken', async () => {
    for (const event of ['grant', 'expiry', 'refusal'])
      await until('web', (line) => (JSON.parse(line) as Told).headers['x-ghostport-event'] === event)
    const all = told()
    for (const { headers, body } of all) {
      const signature = createHmac('sha256', KEY).update(`${headers['x-ghostport-time']}.${body}`).digest('hex')
      assert.equal(headers['x-ghostport-signature'], `sha256=${signature}`)
      assert.equal((JSON.parse(body) as { id: string }).id, headers['x-ghostport-id'])
    }
    const ids = all.map(({ headers }) => headers['x-ghostport-id'])
    assert.equal(ids[0], ids[1], 'the first was refused, and sent again')
    assert.equal(new Set(ids).size, 3)
    const { commands } = daemon.status() as unknown as { commands: { webhook: unknown; hooks: unknown } }
    assert.deepEqual(commands.webhook, { delivered: 3, failed: 0, dropped: 0 })
    assert.deepEqual(commands.hooks, { run: 3, failed: 0, dropped: 0 })
  })

  it('leave the web server’s answers to a process without privilege, without keys', () => {
    const executor = childOf(daemon.pid, 'ghostport: executor')
    const sender = childOf(executor, 'ghostport: sender')
    assert.notEqual(sender, 0)
    const privileges = parsePrivileges(readFileSync(`/proc/${sender}/status`, 'utf8'))
    assert.deepEqual(
      [
        privileges.uid,
        privileges.effective,
        privileges.permitted,
        privileges.noNewPrivileges,
        privileges.groups.length,
      ],
      [60_999, 0n, 0n, true, 0],
    )
  })

  it('that hang or are not there delay no knock, and are told', async () => {
    daemon.configure({
      server: [`HOOK_GRANT ${folder}/hang`, `HOOK_REFUSAL ${folder}/no-such-program`, 'CMD_EXEC_TIMEOUT 1'],
      access: stanza(['OPEN_PORTS tcp/22']),
    })
    const from = daemon.events.length
    daemon.reload()
    const refused = await daemon.until(({ event }) => event === 'reload refused', from)
    assert.match(String(refused['detail']), /HOOK_GRANT/)
    await daemon.restart()
    const verdict = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
    assert.equal(verdict.verdict, 'granted')
    await client.until('ssh', { protocol: 'tcp', address: SERVER, port: 22, timeoutMs: 500 }, 2000)
    const hung = await daemon.until(({ event }) => event === 'hook')
    assert.deepEqual([hung['hook'], hung['end'], hung.level], ['grant', 'timeout', 'warning'])
    knock(client, SERVER, '-s', '-A', 'tcp/80')
    await daemon.until(({ event, hook, end }) => event === 'hook' && hook === 'refusal' && end === 'not started')
  })
  it('count what comes while no executor runs, and go on with the next one', async () => {
    await daemon.restart()
    const executorRuns = async (): Promise<number> => {
      let executor = 0
      for (let i = 0; executor === 0 && i < 1500; i++, await delay(10))
        executor = childOf(daemon.pid, 'ghostport: executor')
      return executor
    }
    for (const lost of [1, 2, 3]) {
      process.kill(await executorRuns(), 'SIGKILL')
      const count = () => daemon.events.filter(({ event }) => event === 'executor lost').length
      for (let i = 0; count() < lost && i < 500; i++) await delay(5)
      assert.equal(count(), lost)
    }
    // The next executor starts after five seconds.
    sendPacket(client, SERVER, sealedPacket())
    const dropped = await daemon.until(({ event, dropped }) => event === 'hook' && dropped !== undefined)
    assert.deepEqual(
      [dropped['detail'], dropped['dropped'], dropped.level],
      ['events are dropped: the executor is not running', 1, 'warning'],
    )
    await executorRuns()
    knock(client, SERVER, '-s', '-A', 'tcp/80')
    await daemon.until(({ event, hook }) => event === 'hook' && hook === 'refusal')
    const { commands } = daemon.status() as unknown as { commands: { hooks: { dropped: number } } }
    assert.equal(commands.hooks.dropped, 1)
  })
})
