/**
 * An invitation through a gateway, from the command line on both sides: a real gateway in this process, real commands
 * of the server and of the client.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { parseKept, readPollAnswer } from '../../src/cli/client/claim-link.ts'
import { readAboutAnswer } from '../../src/cli/invite/ask-gateway.ts'
import { confirmClaim } from '../../src/cli/invite/confirm-claim.ts'
import type { Given } from '../../src/cli/invite/options.ts'
import { systemTerminal } from '../../src/cli/terminal/terminal.ts'
import { systemClock } from '../../src/clock.ts'
import { parseInviteLink } from '../../src/config/client/invite-link.ts'
import { callGateway } from '../../src/delivery/gateway-call.ts'
import { cancelInvitations, listInvitations } from '../../src/invitations/store.ts'
import { claimTag, deriveLinkKeys, formatDeviceKey, newKeyPair } from '../../src/packet/web-invitation.ts'
import { type LocalGateway, localGateway } from '../support/gateway.ts'
import { must } from '../support/results.ts'
import { compiledCode, ghostportCommand, Home, type Transcript } from './ghostport.ts'

const TOKEN = 'a-token-of-more-than-32-characters-1'
const home = new Home()
let gateway: LocalGateway
let url = ''

let folder = ''
let count = 0
const path = (name: string): string => join(folder, name)
const invite = (argv: readonly string[]): Promise<Transcript> =>
  home.ghostport(['invite', ...argv, '-c', path('fwknopd.conf')])
const good = async (argv: readonly string[]): Promise<Transcript> => {
  const said = await invite(argv)
  assert.equal(said.status, 0, said.stderr)
  return said
}
const make = async (name = 'ada', ...argv: readonly string[]): Promise<string> => {
  const gate = ['--gateway', url, '--gateway-target', 'office', '--gateway-fingerprint', gateway.fingerprint]
  return (await good([name, '--server', 'host.example', '--show-secrets', ...gate, ...argv])).stdout.trim()
}
interface Row {
  readonly user: string
  readonly form: string
  readonly state: string
  readonly claim: { readonly from: string } | null
}
const list = async (): Promise<{ invitations: readonly Row[]; problems: readonly { code: string }[] }> =>
  JSON.parse((await good(['list', '--json'])).stdout)
const row = async (name = 'ada') => (await list()).invitations.find(({ user }) => user === name)
const isOff = (name: string): boolean =>
  new RegExp(`NAME +${name}\\n(?:.+\\n)*# ghostport: disabled`).test(readFileSync(path('access.conf'), 'utf8'))

/** A command that goes on. */
class Running {
  output = ''
  readonly #child: ChildProcess
  readonly #end: Promise<number | null>

  constructor(argv: readonly string[], input: string) {
    const [program = '', ...words] = [...ghostportCommand, ...argv]
    this.#child = spawn(program, words, {
      detached: true,
      env: { ...compiledCode, PATH: process.env['PATH'], HOME: home.path, NO_COLOR: '1' },
      timeout: 60_000,
    })
    this.#child.stdin?.end(input)
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk) => (this.output += chunk))
    this.#end = new Promise((resolve) => this.#child.once('close', resolve))
  }

  async says(wanted: RegExp): Promise<RegExpExecArray> {
    for (const until = performance.now() + 20_000; ; await delay(20)) {
      const found = wanted.exec(this.output)
      if (found !== null) return found
      assert.ok(performance.now() < until, `it does not say ${wanted}: ${this.output}`)
    }
  }

  ended(): Promise<number | null> {
    return this.#end
  }

  async interrupt(): Promise<void> {
    this.#child.kill('SIGINT')
    await this.#end
  }
}

/** “ghostport client add” of a person, until it shows the fingerprint. */
async function add(link: string, rc = 'rc', input = ''): Promise<{ running: Running; digits: string }> {
  const argv = ['client', 'add', link, '--gateway-fingerprint', gateway.fingerprint, '--rc-file', path(rc)]
  const running = new Running(argv, input)
  const said = await running.says(/administrator: (\d{4}-\d{4}-\d{4}-\d{4})|\[[A-Z_]+\]/)
  return { running, digits: said[1] ?? '' }
}

describe('an invitation through a gateway, on the command line', { concurrency: 1 }, () => {
  before(async () => {
    const file = join(home.path, 'token')
    writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 })
    gateway = await localGateway(['TARGET office 127.0.0.1:9', 'INVITATIONS Y', `INVITATION_TOKEN_FILE ${file}`])
    url = `https://localhost:${gateway.port}`
  })
  after(async () => {
    await gateway?.[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })
  beforeEach(() => {
    folder = join(home.path, `etc${++count}`)
    mkdirSync(folder, { mode: 0o700 })
    const settings = `CONTROL_SOCKET ${path('control.sock')};\nREPLAY_DB ${path('replay.db')};\n`
    writeFileSync(path('fwknopd.conf'), settings, { mode: 0o600 })
    writeFileSync(path('access.conf'), 'SOURCE ANY\nNAME first\nOPEN_PORTS tcp/22\nKEY one\nHMAC_KEY two\n', {
      mode: 0o600,
    })
    writeFileSync(path('gateway-token'), TOKEN, { mode: 0o600 })
  })

  it('goes from the link to a stanza of the rc file, once the digits are confirmed', async () => {
    const link = await make()
    assert.match(link, new RegExp(`^${url}/invite#([0-9a-f]{4}-){7}[0-9a-f]{4}$`))
    assert.ok(isOff('ada'))
    assert.deepEqual(await row(), { ...(await row()), form: 'gateway', state: 'open', claim: null })
    assert.match(
      (await invite(['confirm', 'ada'])).stderr,
      /the link was not used yet.*\[INVITATION_UNCLAIMED\]|nobody has claimed.*/s,
    )
    // The secret is not on the command line.
    const [place = '', secret = ''] = link.split('#')
    const { running, digits } = await add(place, 'rc', secret)
    const claimed = await row()
    assert.deepEqual([claimed?.state, claimed?.claim?.from], ['claimed', '127.0.0.1'])
    // A list that showed the digits would be where they are copied from; also where a program reads it.
    assert.ok(!JSON.stringify(await list()).includes(digits))
    const listed = await good(['list'])
    assert.match(listed.stderr, /ada: claimed at .* from 127\.0\.0\.1.*ghostport invite confirm ada/)
    assert.ok(!`${listed.stdout}${listed.stderr}`.includes(digits))
    const kept = readdirSync(folder).filter((name) => name.startsWith('.ghostport-claim-'))
    assert.equal(kept.length, 1)
    // Another one's digits change nothing.
    const wrong = await invite(['confirm', 'ada', '--fingerprint', '1111-2222-3333-4444'])
    assert.equal(wrong.status, 1)
    assert.match(wrong.stderr, /another device claimed.*\[CLAIM_REFUSED\]/)
    assert.ok(isOff('ada'))
    assert.match((await invite(['confirm', 'ada', '--fingerprint', '12'])).stderr, /it has 16 digits/)
    assert.match((await invite(['confirm', 'ada'])).stderr, /no terminal to ask at/)
    const said = await good(['confirm', 'ada', '--fingerprint', digits.replaceAll('-', '')])
    assert.match(said.stderr, /confirmed ada in .*device \d{4}-.*from 127\.0\.0\.1, as the gateway says/)
    assert.ok(!isOff('ada'))
    assert.equal(await running.ended(), 0)
    const rc = readFileSync(path('rc'), 'utf8')
    for (const line of [
      /\[host\.example\]/,
      /GATEWAY +https:\/\/localhost/,
      /GATEWAY_TARGET +office/,
      /KEY_BASE64 +\S/,
    ])
      assert.match(rc, line)
    const [, key = ''] = /^KEY_BASE64 +(\S+)/m.exec(rc) ?? []
    assert.ok(readFileSync(path('access.conf'), 'utf8').includes(key))
    assert.equal((await row())?.state, 'used')
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('.ghostport-claim-')),
      [],
    )
    // Nothing is left here that could seal it again.
    const stored = readdirSync(path('replay.db-invitations'))
    assert.deepEqual(
      stored.map((name) => name.split('.')[1]),
      ['used'],
    )
    assert.doesNotMatch(readFileSync(path(`replay.db-invitations/${stored[0]}`), 'utf8'), /seal|claim|ghostport:\/\//)
    const audit = (await home.ghostport(['audit', 'show', '-c', path('fwknopd.conf')])).stdout
    assert.match(audit, /invite ada [\s\S]*invite confirm ada [\s\S]*invite deliver ada .*\(to device \d{4}-/)
    assert.ok(!audit.includes(key) && !audit.includes(secret))
    assert.match(
      (await invite(['confirm', 'ada', '--fingerprint', digits])).stderr,
      /no link of ada waits at a gateway/,
    )
  })

  it('is claimed once: the second person is told that somebody else may have it', async () => {
    const link = await make()
    const first = await add(link)
    mkdirSync(path('other'))
    const second = await add(link, 'other/rc')
    assert.equal(second.digits, '')
    assert.equal(await second.running.ended(), 1)
    assert.match(second.running.output, /used on another device.*somebody else may have.*\[INVITATION_ENDED\]/s)
    assert.equal((await row())?.state, 'claimed')
    // Interrupted, and run again with the same link: the same device goes on.
    await first.running.interrupt()
    const again = await add(link)
    assert.equal(again.digits, first.digits)
    const cancelled = await good(['cancel', 'ada'])
    assert.doesNotMatch(cancelled.stderr, /the gateway was not told/)
    assert.equal(await again.running.ended(), 1)
    assert.match(again.running.output, /\[INVITATION_ENDED\]/)
    assert.ok(!readFileSync(path('access.conf'), 'utf8').includes('ada'))
    assert.equal(existsSync(path('rc')), false)
  })

  it('is not confirmed any more once another command took it back, however long the digits were asked for', async () => {
    const { running, digits } = await add(await make())
    const folder = `${path('replay.db')}-invitations`
    const asked = must(listInvitations(folder, systemClock.now())).at(-1)
    assert.ok(asked?.gateway !== undefined)
    // The first half of “cancel”: the gateway holds the claim still.
    assert.equal(must(cancelInvitations(folder, asked.user, systemClock.now())), 1)
    const given = { 'config-file': path('fwknopd.conf'), fingerprint: digits, json: 0 } as Given
    const late = await confirmClaim(asked.user, asked.gateway, given, systemTerminal())
    assert.ok(typeof late === 'object' && !late.ok && late.failure.code === 'INVITATION_ENDED', JSON.stringify(late))
    assert.ok(isOff('ada'))
    const { gateway: at } = must(parseInviteLink(`${url}/invite`))
    const { id, key } = asked.gateway
    const told = { gateway: at, fingerprint: gateway.fingerprint, path: '/v1/invitations/about', token: TOKEN }
    const about = must(await callGateway({ ...told, body: { invitations: [{ id, key }] } }))
    assert.match(JSON.stringify(about.value), /"state":"claimed"/)
    await running.interrupt()
  })

  it('shows a claim that a gateway made by itself as forged, and refuses to confirm it', async () => {
    const keys = deriveLinkKeys(must(parseInviteLink(await make())).secret ?? assert.fail())
    const { publicKey } = await newKeyPair()
    // The gateway knows the proof once somebody claims. It has no key for the tag.
    const elsewhere = deriveLinkKeys(new Uint8Array(16).fill(1) as never)
    const forged = claimTag({ ...keys, claim: elsewhere.claim }, publicKey)
    const claim = { proof: keys.proof, device: formatDeviceKey(publicKey), tag: forged }
    const { gateway: at } = must(parseInviteLink(`${url}/invite`))
    const { fingerprint } = gateway
    const answer = must(await callGateway({ gateway: at, fingerprint, path: '/v1/invitation/claim', body: claim }))
    assert.equal(answer.status, 200)
    assert.equal((await row())?.state, 'forged')
    const refused = await invite(['confirm', 'ada', '--fingerprint', '1111-2222-3333-4444'])
    assert.match(refused.stderr, /made without the secret of the link.*\[CLAIM_REFUSED\]/)
    assert.ok(isOff('ada'))
  })

  it('changes nothing where the gateway does not take it', async () => {
    const before = readFileSync(path('access.conf'), 'utf8')
    const gate = ['--server', 'h.example', '--show-secrets', '--gateway']
    const pin = ['--gateway-fingerprint', gateway.fingerprint]
    writeFileSync(path('wrong'), `${TOKEN}-not`, { mode: 0o600 })
    for (const [argv, pattern] of [
      [['ada', ...gate, 'https://localhost:1'], /localhost:1: .*\[GATEWAY_FAILED\]/],
      [['ada', ...gate, url], /certificate.*\(--gateway-fingerprint names one that signs itself\).*\[GATEWAY_FAILED\]/],
      [['ada', ...gate, url, '--gateway-fingerprint', '00'.repeat(32)], /another fingerprint.*\[GATEWAY_FAILED\]/],
      [['ada', ...gate, url, '--gateway-fingerprint', '00'], /--gateway-fingerprint: .*64 hexadecimal digits/],
      [['ada', ...gate, url, ...pin, '--gateway-token', path('wrong')], /does not know this token.*\[GATEWAY_FAILED\]/],
      [['ada', ...gate, url, ...pin, '--gateway-token', path('none')], /token of the gateway.*no such file/i],
      [['ada', ...gate, 'http://gate.example'], /--gateway: a gateway is asked over HTTPS/],
      [['ada', '--show-secrets', '--server', 'h', ...pin], /--gateway-fingerprint has no effect without --gateway/],
      [['first', ...gate, url, ...pin], /\[USER_EXISTS\]/],
    ] as const) {
      const said = await invite(argv)
      assert.notEqual(said.status, 0, argv.join(' '))
      assert.match(said.stderr, pattern)
    }
    assert.equal(readFileSync(path('access.conf'), 'utf8'), before)
    assert.equal((await list()).invitations.length, 0)
    const told = await home.ghostport(['client', 'add'], { input: 'ghostport://invite/1#00' })
    assert.match(told.stderr, /claimed on the server itself.*begins with https:/)
  })

  it('lists what it knows where the gateway cannot be asked', async () => {
    await make()
    writeFileSync(path('gateway-token'), 'wrong', { mode: 0o600 })
    const { invitations, problems } = await list()
    assert.deepEqual([invitations[0]?.state, problems[0]?.code], ['open', 'GATEWAY_FAILED'])
    assert.match((await good(['list'])).stderr, /what was claimed is not known: .*does not know this token/)
    const cancelled = await good(['cancel', 'ada'])
    assert.match(cancelled.stderr, /the gateway was not told: .*\n(.*\n)*removed ada/)
  })

  it('reads no answer and no file that is not its own, and never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, text) => {
        assert.equal(readAboutAnswer(value), undefined)
        assert.equal(readPollAnswer(value), undefined)
        parseKept(text)
        assert.equal(parseKept(JSON.stringify(value)), undefined)
      }),
    )
  })
})
