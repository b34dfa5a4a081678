/** `ghostport gateway --check`: what a start would refuse, besides the settings themselves. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { makeCertificate } from '../support/tls-certificate.ts'
import { Home } from './ghostport.ts'

const home = new Home()
const folder = join(home.path, 'etc')
const path = (name: string): string => join(folder, name)

describe('ghostport gateway --check', () => {
  mkdirSync(folder, { mode: 0o700 })
  const [one, other] = [makeCertificate(['DNS:gate.example']), makeCertificate(['DNS:gate.example'])]
  for (const [name, text, mode] of [
    ['cert', one.cert, 0o644],
    ['key', one.key, 0o600],
    ['other-key', other.key, 0o600],
    ['token', `${'t'.repeat(40)}\n`, 0o600],
    ['short-token', 'secret', 0o600],
    ['open-token', `${'t'.repeat(40)}\n`, 0o644],
  ] as const)
    writeFileSync(path(name), text, { mode })
  after(() => home[Symbol.dispose]())

  const certificate = (key: string) => [`CERTIFICATE_FILE ${path('cert')}`, `CERTIFICATE_KEY_FILE ${path(key)}`]
  const token = (name: string) => ['INVITATIONS Y', `INVITATION_TOKEN_FILE ${path(name)}`]
  const isRoot = process.getuid?.() === 0
  const table: readonly (readonly [what: string, lines: readonly string[], said: RegExp])[] = [
    ['all is there', [...certificate('key'), ...token('token'), 'USER nobody'], /^.*: the settings can be used\.$/],
    ['the key is another one', certificate('other-key'), /not that of the certificate.*\[KEY_INVALID\]/],
    ['there is no key', certificate('none'), /no such file/],
    ['the token can be guessed', token('short-token'), /32 to 200 characters.*\[KEY_INVALID\]/],
    ['others can read the token', token('open-token'), /\[CONFIG_EXPOSED\]/],
    ['there is no token', token('none'), /no such file/],
    ...(isRoot ? [['there is no such user', ['USER no-such-user'], /no user “no-such-user”/] as const] : []),
  ]
  for (const [what, lines, said] of table)
    it(`where ${what}`, async () => {
      const base = ['LISTEN https://127.0.0.1:443', 'HOST gate.example', 'TARGET office 192.0.2.10:62201']
      const user = isRoot && !lines.some((line) => line.startsWith('USER')) ? ['USER nobody'] : []
      writeFileSync(path('gateway.conf'), `${[...base, ...user, ...lines].join('\n')}\n`, { mode: 0o600 })
      const { status, stdout, stderr } = await home.ghostport(['gateway', '--check', '-c', path('gateway.conf')])
      assert.match(status === 0 ? stdout.trim() : stderr, said)
      assert.equal(status === 0, what === 'all is there', stderr)
    })
})
