/** The forms in this process, with real HTTPS: logging in, knocking, logging out; and what attackers try. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { type LocalGateway, localGateway } from '../../../test/support/gateway.ts'
import { base32, checkTotp, totpAt, totpUri } from '../../http-server/totp.ts'
import { EncryptionKey, HmacKey } from '../../packet/key.ts'
import { parseKeyText } from '../../packet/key-text.ts'
import { sealReceipt } from '../../packet/receipt.ts'
import type { FwknopDigest } from '../../packet/replay-digest.ts'
import { StateFolder } from '../../system/state-folder.ts'
import { milliseconds, unixSeconds } from '../../units.ts'
import { type FormSecret, hashCode, makeUser, openUser, passwordKey } from './form-user.ts'
import { escapeHtml, knockPage, loginPage } from './pages.ts'
import { Sessions } from './sessions.ts'
import { FormUserFile } from './user-file.ts'

const run = promisify(execFile)
const base64 = (text: string): string => Buffer.from(text).toString('base64url')
const PROFILE = `ghostport://profile/1?name=office&server=192.0.2.10&open=tcp/22&key=${base64('one key')}&hmac=${base64('another key')}&made=1764150000`
const SECRET: FormSecret = {
  profile: PROFILE,
  totp: Buffer.from('12345678901234567890').toString('base64'),
  totpUsed: 0,
  codes: ['aaaa-bbbb', 'cccc-dddd', 'eeee-ffff'].map(hashCode),
}
const PASSWORD = 'correct horse battery'
const ada = makeUser(
  { name: 'ada', target: 'office', open: 'tcp/22', added: 1, password: PASSWORD, secret: SECRET },
  randomBytes,
)

interface Answer {
  readonly status: number
  readonly text: string
  readonly cookies: readonly string[]
  readonly location: string | undefined
}

describe('the forms', { concurrency: 1 }, () => {
  let local: LocalGateway
  let users: FormUserFile
  const office = createSocket('udp4')
  const packets: string[] = []

  before(async () => {
    await new Promise<void>((resolve) => office.bind(0, '127.0.0.1', resolve))
    office.on('message', (bytes, from) => {
      const text = bytes.toString('latin1')
      packets.push(text)
      const [encryption, hmac] = [parseKeyText(EncryptionKey, 'one key'), parseKeyText(HmacKey, 'another key')]
      assert.ok(encryption.ok && hmac.ok)
      const digest = createHash('sha256').update(text).digest('base64').replace(/=+$/, '') as FwknopDigest
      const keys = {
        encryption: { key: encryption.value, mode: 'CBC' },
        hmac: { key: hmac.value, type: 'sha256' },
      } as const
      const said = {
        verdict: 'open',
        until: unixSeconds(1_795_410_778),
        serverTime: unixSeconds(1_795_410_748),
      } as const
      office.send(sealReceipt(digest, keys, said, randomBytes(16)) ?? '', from.port, from.address)
    })
    local = await localGateway([
      `TARGET office 127.0.0.1:${office.address().port}`,
      'FORMS Y',
      'PROXY 127.0.0.1',
      'RECEIPT_WAIT 200',
    ])
    users = new FormUserFile(local.state)
    assert.ok(users.write([await ada]).ok)
  })
  after(async () => {
    await local[Symbol.asyncDispose]()
    office.close()
  })

  /** A browser without scripts. */
  class Visitor {
    readonly cookies = new Map<string, string>()
    readonly #source: string
    constructor(source = `198.51.100.${Math.floor(Math.random() * 250)}`) {
      this.#source = source
    }

    ask(
      method: 'GET' | 'POST',
      path: string,
      fields: Record<string, string> = {},
      headers: Record<string, string> = {},
    ): Promise<Answer> {
      const body = method === 'GET' ? '' : new URLSearchParams(fields).toString()
      return new Promise((resolve, reject) => {
        const asking = httpsRequest(
          {
            ...{ host: '127.0.0.1', port: local.port, method, path, agent: false, rejectUnauthorized: false },
            headers: {
              host: 'gate.example',
              'x-forwarded-for': this.#source,
              ...(this.cookies.size === 0
                ? {}
                : { cookie: [...this.cookies].map((pair) => pair.join('=')).join('; ') }),
              ...(method === 'GET'
                ? {}
                : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': `${body.length}` }),
              ...headers,
            },
          },
          (response) => {
            let text = ''
            response.setEncoding('utf8').on('data', (chunk: string) => {
              text += chunk
            })
            response.on('end', () => {
              const set = response.headers['set-cookie'] ?? []
              for (const cookie of set) {
                const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
                if (/Max-Age=0/.test(cookie)) this.cookies.delete(name)
                else this.cookies.set(name, value)
              }
              resolve({ status: response.statusCode ?? 0, text, cookies: set, location: response.headers.location })
            })
          },
        )
        asking.on('error', reject)
        asking.end(body)
      })
    }

    async login(fields: Partial<Record<'name' | 'password' | 'code', string>>): Promise<Answer> {
      const { text } = await this.ask('GET', '/form')
      return this.ask('POST', '/form/login', {
        token: tokenIn(text),
        name: 'ada',
        password: PASSWORD,
        code: '',
        ...fields,
      })
    }
  }
  const tokenIn = (text: string): string => /name="token" value="([^"]+)"/.exec(text)?.[1] ?? ''

  it('log in with a single-use code, knock for the own address, and log out', async () => {
    const visitor = new Visitor('198.51.100.251')
    const answer = await visitor.login({ code: 'AAAA BBBB' })
    assert.equal(answer.status, 303, answer.text)
    assert.equal(answer.location, '/form')
    const cookie = answer.cookies.find((it) => it.startsWith('__Host-ghostport='))
    assert.match(cookie ?? '', /^__Host-ghostport=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/)
    const page = await visitor.ask('GET', '/form')
    assert.match(page.text, /Hello, ada/)
    assert.match(page.text, /Opens tcp\/22 at “office” for your address, 198\.51\.100\.251/)
    assert.match(page.text, /Single-use codes left: 2/)
    const token = tokenIn(page.text)
    assert.equal((await visitor.ask('POST', '/form/knock', { token })).status, 303)
    assert.equal(packets.length, 1)
    assert.match((await visitor.ask('GET', '/form')).text, /Open until 2026-11-23T05:12:58\.000Z/)
    const stolen = new Map(visitor.cookies)
    assert.equal((await visitor.ask('POST', '/form/logout', { token })).status, 303)
    // A cookie after logout.
    for (const [name, value] of stolen) visitor.cookies.set(name, value)
    assert.match((await visitor.ask('GET', '/form')).text, /Log in to knock/)
    assert.equal((await visitor.ask('POST', '/form/knock', { token })).status, 403)
    assert.equal(packets.length, 1)
  })

  it('a code is good once, also after a restart, and a code by time too', async () => {
    assert.equal((await new Visitor().login({ code: 'aaaa-bbbb' })).status, 403)
    const code = totpAt(Buffer.from(SECRET.totp, 'base64'), Math.floor(Date.now() / 30_000))
    assert.equal((await new Visitor().login({ code })).status, 303)
    assert.equal((await new Visitor().login({ code })).status, 403)
    const kept = users.find('ada')
    assert.ok(kept !== undefined)
    const opened = openUser(kept, await passwordKey(PASSWORD, Buffer.from(kept.salt, 'base64')))
    assert.equal(opened?.secret.codes.length, 2)
    assert.ok((opened?.secret.totpUsed ?? 0) > 0)
  })

  it('two at once cannot use one code', async () => {
    const answers = await Promise.all(
      ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((it) => new Visitor(it).login({ code: 'cccc-dddd' })),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 403, 403])
  })

  it('processes that get all codes at once accept each code once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-logins-'))
    try {
      const state = StateFolder.open(join(folder, 'state'), undefined)
      assert.ok(state.ok)
      const codes = Array.from({ length: 8 }, (_, i) => `code-${i}`)
      const secret = { ...SECRET, codes: codes.map(hashCode) }
      const made = { name: 'ada', target: 'office', open: 'tcp/22', added: 1, password: PASSWORD, secret }
      assert.ok(new FormUserFile(state.value).write([await makeUser(made, randomBytes)]).ok)
      const program = join(import.meta.dirname, '../../../test/support/form-logins.ts')
      const words = [program, state.value.path, `${Date.now() + 1_500}`, PASSWORD, ...codes]
      const accepted = await Promise.all(
        [1, 2, 3].map(async () => {
          const { stdout } = await run(process.execPath, ['--conditions=ghostport-source', ...words])
          return stdout.trim().split(' ')
        }),
      )
      assert.deepEqual(accepted.flat().filter(Boolean).sort(), codes, JSON.stringify(accepted))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('no failure tells another one from it: the same page, after the same time', async () => {
    const tries = [
      { name: 'nobody', code: 'eeee-ffff' },
      { password: 'wrong password', code: 'eeee-ffff' },
      { code: 'zzzz-zzzz' },
      { name: '', code: '' },
    ]
    const seen = await Promise.all(
      tries.map(async (fields, i) => {
        const began = performance.now()
        const { text, status } = await new Visitor(`192.0.2.${i}`).login(fields)
        assert.equal(status, 403)
        return { text: text.replace(tokenIn(text), ''), took: performance.now() - began }
      }),
    )
    for (const { text, took } of seen) {
      assert.equal(text, seen[0]?.text)
      assert.ok(took >= 1_000, `${took}`)
    }
  })

  it('guesses from one source end, and the owner gets in from elsewhere', async () => {
    const guesser = new Visitor('203.0.113.66')
    const guesses = Array.from({ length: 5 }, (_, i) =>
      new Visitor('203.0.113.66').login({ password: `guess ${i} of many` }),
    )
    for (const { status } of await Promise.all(guesses)) assert.equal(status, 403)
    assert.equal((await guesser.login({ code: 'eeee-ffff' })).status, 403, 'the right one, after too many')
    assert.equal((await new Visitor('203.0.113.67').login({ code: 'eeee-ffff' })).status, 303)
  })

  it('a form of another site is refused: by its origin, by its token, by its cookie', async () => {
    const visitor = new Visitor()
    const { text } = await visitor.ask('GET', '/form')
    const fields = { token: tokenIn(text), name: 'ada', password: PASSWORD, code: 'x' }
    const { status } = await visitor.ask('POST', '/form/login', fields, { origin: 'https://evil.example' })
    assert.equal(status, 403)
    assert.equal((await visitor.ask('POST', '/form/login', fields, { 'sec-fetch-site': 'cross-site' })).status, 403)
    assert.match((await visitor.ask('POST', '/form/login', { ...fields, token: 'x' })).text, /That did not work/)
    assert.match((await new Visitor().ask('POST', '/form/login', fields)).text, /That did not work/)
    assert.equal((await new Visitor().ask('POST', '/form/knock', { token: 'x' })).status, 403)
  })

  it('a session ends when its user is removed', async () => {
    const before = users.read()
    assert.ok(before.ok)
    const visitor = new Visitor()
    const secret = { ...SECRET, codes: [hashCode('1111-2222')] }
    const grace = await makeUser(
      { name: 'grace', target: 'office', open: 'tcp/22', added: 1, password: PASSWORD, secret },
      randomBytes,
    )
    assert.ok(users.write([...before.value, grace]).ok)
    assert.equal((await visitor.login({ name: 'grace', code: '1111-2222' })).status, 303)
    assert.match((await visitor.ask('GET', '/form')).text, /Hello, grace/)
    assert.ok(users.write(before.value).ok)
    assert.match((await visitor.ask('GET', '/form')).text, /Log in to knock/)
  })

  it('the file holds no key, no code and no password in readable form', async () => {
    const text = local.state.read('form-users.json')
    assert.ok(text.ok && text.value !== undefined)
    for (const word of [
      'profile/1',
      base64('one key'),
      'one key',
      PASSWORD,
      hashCode('cccc-dddd'),
      '12345678901234567890',
    ])
      assert.ok(!text.value.includes(word), word)
    const user = await ada
    assert.equal(openUser(user, await passwordKey('another password', Buffer.from(user.salt, 'base64'))), undefined)
    // Of another user's name, it opens nothing: entries cannot be swapped.
    assert.equal(
      openUser({ ...user, name: 'eve' }, await passwordKey(PASSWORD, Buffer.from(user.salt, 'base64'))),
      undefined,
    )
  })
})

describe('pages', () => {
  it('no text of others becomes part of a page’s markup', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom('<script>alert(1)</script>', '" onload="x', "'><img src=x>", '&lt;', '\u202e<b>'),
    )
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        assert.doesNotMatch(escapeHtml(one), /[<>"']/)
        const plain = knockPage({
          name: 'n',
          token: 't',
          open: 'o',
          target: 'g',
          address: 'a',
          codesLeft: 1,
          news: 'w',
        })
        const filled = knockPage({
          name: one,
          token: other,
          open: one,
          target: other,
          address: one,
          codesLeft: 1,
          news: other,
        })
        const tags = (html: string): readonly string[] => html.match(/<[a-z/!][^\s>]*/g) ?? []
        assert.deepEqual(tags(filled), tags(plain))
        assert.deepEqual(tags(loginPage(one, other)), tags(loginPage('t', 'w')))
      }),
    )
  })

  it('has no script', () => {
    assert.doesNotMatch(loginPage('t', 'n'), /<script|javascript:|\son[a-z]+=/i)
  })
})

describe('one-time codes', () => {
  it('are those of RFC 6238, appendix B, in their last six digits', () => {
    const secret = Buffer.from('12345678901234567890')
    const table = [
      [59, '94287082'],
      [1111111109, '07081804'],
      [1111111111, '14050471'],
      [1234567890, '89005924'],
      [2000000000, '69279037'],
      [20000000000, '65353130'],
    ] as const
    for (const [time, code] of table) assert.equal(totpAt(secret, Math.floor(time / 30)), code.slice(2))
  })

  it('one step before and after is good, another one is not, and none twice', () => {
    const secret = Buffer.alloc(20, 7)
    const now = unixSeconds(1_800_000_000)
    const step = Math.floor(now / 30)
    for (const off of [-1, 0, 1]) assert.equal(checkTotp(secret, totpAt(secret, step + off), now, 0), step + off)
    for (const off of [-2, 2]) assert.equal(checkTotp(secret, totpAt(secret, step + off), now, 0), undefined)
    assert.equal(checkTotp(secret, totpAt(secret, step), now, step), undefined)
  })

  it('are told to an app as it expects', () => {
    assert.equal(base32(Buffer.from('foobar')), 'MZXW6YTBOI')
    assert.equal(
      totpUri(Buffer.from('foobar'), 'ada', 'gate.example'),
      'otpauth://totp/gate.example%3Aada?secret=MZXW6YTBOI&issuer=gate.example',
    )
  })
})

it('a session ends after a pause, and after its time', async () => {
  const sessions = new Sessions()
  const user = await ada
  const id = sessions.begin({ user, secret: SECRET }, milliseconds(0))
  assert.ok(sessions.of(id, milliseconds(299_000)))
  assert.ok(sessions.of(id, milliseconds(590_000)))
  assert.equal(sessions.of(id, milliseconds(900_001)), undefined)
  const other = sessions.begin({ user, secret: SECRET }, milliseconds(0))
  assert.equal(sessions.of(other, milliseconds(300_001)), undefined)
  assert.equal(sessions.of('x', milliseconds(1)), undefined)
})
