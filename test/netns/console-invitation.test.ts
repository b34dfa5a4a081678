/**
 * An invitation that is made, seen and confirmed at the console, claimed through a real gateway, and used.
 *
 *   client 10.9.1.1 ── gateway 10.9.1.2, 10.9.0.1 ── server 10.9.0.2, which drops by default: ssh on tcp/22; a console
 */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { readAudit } from '../../src/audit-log/verify.ts'
import { parseInviteLink } from '../../src/config/client/invite-link.ts'
import {
  claimTag,
  deriveLinkKeys,
  deviceFingerprint,
  formatDeviceKey,
  newKeyPair,
  openOnDevice,
} from '../../src/packet/web-invitation.ts'
import { CONSOLE_HOST, ConsoleProcess, serverForConsole } from '../support/console.ts'
import { type Daemon, dropByDefault, eventsIn, ghostportCommand } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { SoftPasskey } from '../support/passkey.ts'
import { must } from '../support/results.ts'

const GATE = 'https://10.9.0.1'
const SERVER = '10.9.0.2'
const TOKEN = 'a-token-of-more-than-32-characters-1'

describe('an invitation, from the console to the open door', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let client: Host
  let daemon: Daemon
  let console: ConsoleProcess
  let token: string
  let gatewayFingerprint: string

  before(async () => {
    net = await Network.create()
    const [one, middle, server] = await Promise.all(['client', 'gateway', 'server'].map((name) => net.host(name)))
    assert.ok(one && middle && server)
    client = one
    await net.link(client, ['10.9.1.1/24'], middle, ['10.9.1.2/24'])
    await net.link(middle, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    middle.sysctl({ 'net.ipv4.ip_forward': 1 })
    client.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.2'])
    server.must(['ip', 'route', 'add', 'default', 'via', '10.9.0.1'])
    dropByDefault(server)
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    const folder = net.directory()
    chmodSync(folder, 0o755)
    writeFileSync(join(folder, 'token'), `${TOKEN}\n`, { mode: 0o600 })
    const lines = [
      ...['LISTEN https://10.9.0.1:443', 'HOST 10.9.0.1', `TARGET office ${SERVER}:62201`, 'USER nobody'],
      ...[`STATE_FOLDER ${join(folder, 'state')}`, 'RECEIPT_WAIT 2000'],
      ...['INVITATIONS Y', `INVITATION_TOKEN_FILE ${join(folder, 'token')}`, ''],
    ]
    writeFileSync(join(folder, 'gateway.conf'), lines.join('\n'))
    const gateway = middle.start(ghostportCommand('gateway', '-c', join(folder, 'gateway.conf')))
    await gateway.says(/"event":"ready"/)
    gatewayFingerprint = String(eventsIn(gateway.output).find(({ event }) => event === 'ready')?.['fingerprint'])
    const asked = await serverForConsole(net, server, ['GATEWAY_ADDRESSES 10.9.0.1', 'GATEWAY_RECEIPTS Y'])
    daemon = asked.daemon
    writeFileSync(daemon.path('gateway-token'), `${TOKEN}\n`, { mode: 0o600 })
    console = new ConsoleProcess(net, server, asked.socket, [`SERVER_SETTINGS ${daemon.path('fwknopd.conf')}`])
    await console.start()
    token = await console.loggedIn('root', 'administrator')
    const passkey = new SoftPasskey(`https://${CONSOLE_HOST}`, CONSOLE_HOST)
    const options = await good('/v1/account/passkeys/options')
    const credential = passkey.register(String(options['challenge']))
    await good('/v1/account/passkeys', { id: options['id'], name: 'key ring', credential })
  })
  after(async () => {
    await console?.stop()
    await daemon?.stop()
    await net?.close()
  })

  async function good(path: string, body: object = {}): Promise<Record<string, unknown>> {
    const answer = await console.ask(path, { token, body })
    assert.equal(answer.status, 200, `${path}: ${answer.text}`)
    return answer.json
  }
  const curl = (...words: readonly string[]): string => client.must(['curl', '-sk', '--max-time', '20', ...words])
  const post = (path: string, body: object): Record<string, string> =>
    JSON.parse(
      curl('-H', 'content-type: application/json', '-d', JSON.stringify(body), `${GATE}/v1/invitation/${path}`),
    )
  /** Of the user ada, as the console shows it. It asks the gateway again after some seconds. */
  async function shown(state: string): Promise<Record<string, unknown>> {
    for (let tries = 0; tries < 100; tries++, await delay(500)) {
      const { users } = (await console.ask('/v1/users', { token })).json as unknown as {
        users: { name: string; invitation: Record<string, unknown> | null }[]
      }
      const found = users.find(({ name }) => name === 'ada')?.invitation
      if (found?.['state'] === state) return found
    }
    return assert.fail(`it is not shown as ${state}`)
  }

  it('is seen by previews, claimed once, confirmed by its digits alone, and then opens the door', async () => {
    const wishes = { name: 'ada', open: 'tcp/22', server: SERVER, gateway: GATE, gatewayTarget: 'office' }
    const made = await good('/v1/invitations', { ...wishes, gatewayFingerprint })
    const link = must(parseInviteLink(String(made['link'])))
    assert.ok(link.secret)
    for (const words of [[], ['--head'], ['-A', 'Slackbot-LinkExpanding 1.0']])
      curl(...words, '-o', '/dev/null', String(made['link']))
    await shown('open')

    const keys = deriveLinkKeys(link.secret)
    const device = await newKeyPair()
    const own = { proof: keys.proof, device: formatDeviceKey(device.publicKey) }
    assert.deepEqual(post('claim', { ...own, tag: claimTag(keys, device.publicKey) }), { state: 'claimed' })
    assert.deepEqual(post('poll', own), { state: 'waiting' })
    const claim = await shown('claimed')
    assert.match(JSON.stringify(claim), /10\.9\.1\.1/)
    const digits = deviceFingerprint(keys, device.publicKey)
    assert.ok(!JSON.stringify(claim).includes(digits), 'they come from the person')

    const wrong = { name: 'ada', fingerprint: '1111-1111-1111-1111' }
    const refused = await console.ask('/v1/invitations/confirm', { token, body: wrong })
    assert.match(refused.text, /CLAIM_REFUSED/)
    assert.deepEqual(post('poll', own), { state: 'waiting' })
    await good('/v1/invitations/confirm', { name: 'ada', fingerprint: digits })

    const { state, sealed = '' } = post('poll', own)
    assert.equal(state, 'ready')
    const profile = await openOnDevice(keys, device, sealed)
    assert.match(profile ?? '', /^ghostport:\/\/profile\/1\?.*&gateway=https:\/\/10\.9\.0\.1&target=office&/)
    const rc = join(net.directory(), 'rc')
    const added = client.run(ghostportCommand('client', 'add', '--rc-file', rc), { input: `${profile}\n` })
    assert.equal(added.status, 0, added.stderr)
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    const way = ['--allow-ip', '10.9.1.1', '--gateway-fingerprint', gatewayFingerprint]
    const knocked = client.run(ghostportCommand('knock', SERVER, '--rc-file', rc, ...way, '--json'))
    assert.equal(JSON.parse(knocked.stdout).receipt?.verdict, 'open', knocked.stdout + knocked.stderr)
    assert.equal(await client.tcp(SERVER, 22), 'ssh')

    const told = must(readAudit(daemon.path('state/audit.log'))).filter(({ by }) => by.name === 'root')
    const deeds = told.map(({ did }) => did).filter((did) => did.startsWith('invite'))
    assert.deepEqual(deeds, ['invite', 'invite confirm', 'invite deliver'])
  })
})
