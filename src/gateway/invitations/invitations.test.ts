/** Invitations at the gateway, over real HTTP: claimed once, by whom, and what everybody else is told. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { parseGatewayConf } from '../../config/gateway/parse-gateway-conf.ts'
import type { InvitationSecret } from '../../packet/invitation-secret.ts'
import { claimTag, deriveLinkKeys, formatDeviceKey, newKeyPair } from '../../packet/web-invitation.ts'
import { StateFolder } from '../../system/state-folder.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import { type Gateway, openGateway } from '../gateway.ts'
import { KEPT, LONGEST, MOST_HELD, parseHeld } from './held.ts'
import { readAbout, readClaim, readDeliver, readPoll, readRegister } from './requests.ts'

const TOKEN = 'a-token-of-more-than-32-characters-1'
const KEY = 'ab'.repeat(32)
const SEALED = 'S'.repeat(200)
const start = unixSeconds(1_795_000_000)

describe('invitations at the gateway', () => {
  let folder: string
  let gateway: Gateway
  let base: string
  let now: UnixSeconds
  let visitor: string

  async function open(): Promise<void> {
    const lines = [
      ...['LISTEN http://127.0.0.1:1', 'HOST localhost', 'TARGET office 127.0.0.1:9', 'PROXY 127.0.0.1'],
      ...['INVITATIONS Y', `INVITATION_TOKEN_FILE ${join(folder, 'token')}`],
    ]
    const parsed = parseGatewayConf('gateway.conf', lines.join('\n'))
    assert.ok(parsed.ok, JSON.stringify(parsed))
    const state = StateFolder.open(join(folder, 'state'), undefined)
    assert.ok(state.ok)
    const { config } = parsed.value
    const listen = config.listen.map((at) => (at.kind === 'unix' ? at : { ...at, port: 0 as never }))
    const opened = await openGateway({ ...config, listen }, state.value, [], {
      clock: { now: () => now },
      lookUp: async () => undefined,
      ownAddresses: new Set(),
      onFault: (error) => assert.fail(String(error)),
    })
    assert.ok(opened.ok, JSON.stringify(opened))
    gateway = opened.value
    const [at] = gateway.http.listening
    base = `http://localhost:${at?.kind === 'tcp' ? at.port : 0}`
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ghostport-invitations-'))
    writeFileSync(join(folder, 'token'), `${TOKEN}\n`, { mode: 0o600 })
    now = start
    visitor = '192.0.2.7'
    await open()
  })
  afterEach(async () => {
    await gateway.close()
    rmSync(folder, { recursive: true })
  })

  async function post(path: string, body: unknown, token?: string): Promise<{ status: number; value: unknown }> {
    const response = await fetch(`${base}${path}`, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', 'x-forwarded-for': visitor },
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    return { status: response.status, value: await response.json() }
  }
  const asServer = (path: string, body: unknown) => post(`/v1/invitations/${path}`, body, TOKEN)
  const linkKeys = (seed = 1) => deriveLinkKeys(new Uint8Array(16).fill(seed) as InvitationSecret)
  const register = async (keys = linkKeys()) => {
    const made = await asServer('register', { id: keys.id, key: KEY, until: start + 900 })
    assert.deepEqual(made, { status: 201, value: { state: 'open' } })
    return keys
  }
  const claimOf = async (keys: ReturnType<typeof linkKeys>) => {
    const { publicKey } = await newKeyPair()
    return { proof: keys.proof, device: formatDeviceKey(publicKey), tag: claimTag(keys, publicKey) }
  }
  const claim = (body: object) => post('/v1/invitation/claim', body)
  const poll = ({ proof, device }: { proof: string; device: string }) => post('/v1/invitation/poll', { proof, device })
  const about = async (keys: ReturnType<typeof linkKeys>, key = KEY) => {
    const { value } = await asServer('about', { invitations: [{ id: keys.id, key }] })
    return (value as { invitations: Record<string, unknown>[] }).invitations[0]
  }
  const ENDED = { status: 410, value: { error: 'invitation' } }

  it('goes from the link to the profile, and the server sees who claimed', async () => {
    const keys = await register()
    const made = await claimOf(keys)
    assert.deepEqual(await about(keys), { id: keys.id, state: 'open' })
    assert.deepEqual(await claim(made), { status: 200, value: { state: 'claimed' } })
    assert.deepEqual(await poll(made), { status: 200, value: { state: 'waiting' } })
    assert.deepEqual(await about(keys), {
      ...{ id: keys.id, state: 'claimed' },
      claim: { device: made.device, tag: made.tag, at: start, from: '192.0.2.7' },
    })
    const { device } = made
    assert.equal((await asServer('deliver', { id: keys.id, key: KEY, device, sealed: SEALED })).status, 200)
    assert.deepEqual(await poll(made), { status: 200, value: { state: 'ready', sealed: SEALED } })
    assert.deepEqual(await poll(made), { status: 200, value: { state: 'ready', sealed: SEALED } })
    assert.equal((await about(keys))?.['state'], 'fetched')
    assert.deepEqual(await asServer('cancel', { id: keys.id, key: KEY }), {
      status: 200,
      value: { state: 'cancelled' },
    })
    assert.deepEqual(await poll(made), ENDED)
  })

  it('is claimed once, of many at once, and the same device may ask again', async () => {
    const keys = await register()
    const claims = await Promise.all(Array.from({ length: 12 }, () => claimOf(keys)))
    const answers = await Promise.all(claims.map(claim))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    const first = claims[answers.findIndex(({ status }) => status === 200)]
    for (const answer of answers) if (answer.status !== 200) assert.deepEqual(answer, ENDED)
    assert.ok(first)
    assert.equal((await claim(first)).status, 200)
    // Another tag with the same key is another claim.
    assert.deepEqual(await claim({ ...first, tag: '00'.repeat(32) }), ENDED)
    for (const other of claims) if (other !== first) assert.deepEqual(await poll(other), ENDED)
  })

  it('answers alike for unknown, used, ended and cancelled', async () => {
    const [used, late, gone] = [await register(linkKeys(2)), await register(linkKeys(3)), await register(linkKeys(4))]
    await claim(await claimOf(used))
    await asServer('cancel', { id: gone.id, key: KEY })
    now = unixSeconds(start + 901)
    for (const keys of [used, late, gone, linkKeys(5)]) {
      assert.deepEqual(await claim(await claimOf(keys)), ENDED)
      assert.deepEqual(await poll(await claimOf(keys)), ENDED)
    }
  })

  it('keeps claims over a restart, and a claim was on disk before its answer', async () => {
    const [keys, other] = [await register(), await register(linkKeys(2))]
    const made = await claimOf(keys)
    await claim(made)
    // As after kill -9: nothing of the old process is asked any more.
    const state = join(folder, 'state')
    const kept = readdirSync(state).filter((name) => name.includes(keys.id))
    assert.equal(kept.length, 1)
    assert.equal(parseHeld(readFileSync(join(state, kept[0] ?? ''), 'utf8'))?.state, 'claimed')
    writeFileSync(join(state, `invitation-${other.id}.json.new-99`), 'half a fi', { mode: 0o600 })
    await gateway.close()
    await open()
    assert.deepEqual(await claim(await claimOf(keys)), ENDED)
    assert.equal((await claim(made)).status, 200)
    assert.equal((await about(other))?.['state'], 'open')
    assert.ok(!readdirSync(state).some((name) => name.includes('.new-')))
    // Nothing in the folder tells the proof.
    for (const name of readdirSync(state)) assert.ok(!readFileSync(join(state, name), 'utf8').includes(keys.proof))
  })

  it('does not start with a damaged file, which could let somebody claim again', async () => {
    const keys = await register()
    await gateway.close()
    writeFileSync(join(folder, 'state', `invitation-${keys.id}.json`), '{"version":"1"}', { mode: 0o600 })
    await assert.rejects(open(), /CONFIG_UNREADABLE.*is damaged: delete it/)
    rmSync(join(folder, 'state', `invitation-${keys.id}.json`))
    await open()
  })

  it('spends nothing by GET, HEAD, another method, or a claim without its proof', async () => {
    const keys = await register()
    for (const path of ['/invite', '/v1/invitation/claim'])
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
        assert.notEqual((await fetch(`${base}${path}`, { method })).status, 200, `${method} ${path}`)
    const made = await claimOf(keys)
    for (const body of [{}, { ...made, proof: 'x' }, { ...made, more: 1 }, { ...made, device: 'A'.repeat(87) }, []])
      assert.equal((await claim(body)).status, 400, JSON.stringify(body))
    assert.deepEqual(await claim({ ...made, proof: keys.id }), ENDED)
    assert.equal((await about(keys))?.['state'], 'open')
  })

  it('takes from servers only what has the token, and of an invitation only what has its key', async () => {
    const keys = await register()
    const made = await claimOf(keys)
    await claim(made)
    for (const token of [undefined, 'x', `${TOKEN}x`])
      assert.equal((await post('/v1/invitations/about', { invitations: [] }, token)).status, 401)
    const other = 'cd'.repeat(32)
    assert.equal((await about(keys, other))?.['state'], 'unknown')
    const forged = { id: keys.id, key: other, device: made.device, sealed: SEALED }
    assert.deepEqual(await asServer('deliver', forged), ENDED)
    assert.deepEqual(await asServer('cancel', { id: keys.id, key: other }), ENDED)
    assert.equal((await asServer('register', { id: keys.id, key: other, until: start + 900 })).status, 409)
    // Nor is anything delivered to another device than the one that claimed.
    const { device } = await claimOf(keys)
    assert.deepEqual(await asServer('deliver', { ...forged, key: KEY, device }), ENDED)
    assert.deepEqual(await poll(made), { status: 200, value: { state: 'waiting' } })
    // Who guesses is soon refused without a look.
    for (let i = 0; i < 10; i++) await post('/v1/invitations/about', { invitations: [] }, 'guess')
    assert.equal((await post('/v1/invitations/about', { invitations: [] }, 'guess')).status, 429)
    assert.equal((await asServer('about', { invitations: [] })).status, 200)
  })

  it('has limits: number, time, and requests of a source', async () => {
    const ids = Array.from({ length: MOST_HELD + 1 }, (_, at) => at.toString(16).padStart(64, '0'))
    const statuses: number[] = []
    for (const [at, id] of ids.entries()) {
      visitor = `192.0.2.${at % 200}`
      statuses.push((await asServer('register', { id, key: KEY, until: start + 900 })).status)
    }
    assert.deepEqual([...new Set(statuses.slice(0, -1))], [201])
    assert.equal(statuses.at(-1), 507)
    now = unixSeconds(start + 900 + KEPT)
    const id = 'f'.repeat(64)
    assert.equal((await asServer('register', { id, key: KEY, until: now + LONGEST + 1 })).status, 422)
    assert.equal((await asServer('register', { id, key: KEY, until: now + 900 })).status, 201)
    assert.equal(readdirSync(join(folder, 'state')).filter((name) => name.startsWith('invitation-')).length, 1)
    visitor = '192.0.2.250'
    const made = await claimOf(linkKeys(9))
    const visits: number[] = []
    for (let i = 0; i < 45; i++) visits.push((await poll(made)).status)
    assert.equal(visits[0], 410)
    assert.equal(visits.at(-1), 429)
    visitor = '192.0.2.251'
    assert.equal((await poll(made)).status, 410)
  })

  it('is not there without INVITATIONS, and needs a token that nobody guesses', async () => {
    for (const [text, code] of [
      ['INVITATIONS Y', 'CONFIG_MISSING_KEY'],
      ['INVITATION_TOKEN_FILE /x', 'CONFIG_CONFLICT'],
      ['INVITATIONS N\nINVITATION_TOKEN_FILE /x', 'CONFIG_CONFLICT'],
    ] as const) {
      const parsed = parseGatewayConf('g', `LISTEN https://0.0.0.0\nHOST h\nTARGET a 192.0.2.1\n${text}`)
      assert.ok(!parsed.ok && parsed.failure.code === code, text)
    }
    await gateway.close()
    for (const text of ['', 'short', `${TOKEN} with blanks`, 'x'.repeat(201)]) {
      writeFileSync(join(folder, 'token'), text)
      await assert.rejects(open(), /KEY_INVALID/, text)
    }
    writeFileSync(join(folder, 'token'), TOKEN)
    await open()
  })

  it('reads no request and no file that it does not write, and never throws', () => {
    const readers = [readAbout, readClaim, readDeliver, readPoll, readRegister]
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, text) => {
        for (const read of readers) {
          const got = read(value)
          if (got !== undefined) assert.equal(read, readAbout)
        }
        parseHeld(text)
        assert.equal(parseHeld(JSON.stringify(value)), undefined)
      }),
    )
  })
})
