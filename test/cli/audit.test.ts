/** `ghostport audit`, and which commands write to the audit log. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { Home, type Transcript } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

let folder = ''
let count = 0
const path = (name: string): string => join(folder, name)
const run = (...argv: readonly string[]): Promise<Transcript> =>
  home.ghostport([...argv, '-c', path('fwknopd.conf')], { env: { SSH_CONNECTION: '192.0.2.9 50000 192.0.2.1 22' } })
const ok = async (...argv: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await run(...argv)
  assert.equal(status, 0, stderr)
  return stdout
}
interface Line {
  readonly did: string
  readonly to?: string
  readonly before?: readonly string[]
  readonly after?: readonly string[]
  readonly by: { readonly from?: string }
  readonly note?: string
}
const shown = async (): Promise<readonly Line[]> =>
  (await ok('audit', 'show', '--json')).split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))

beforeEach(() => {
  folder = join(home.path, `etc${++count}`)
  mkdirSync(folder, { mode: 0o700 })
  const settings = `CONTROL_SOCKET ${path('control.sock')};\nREPLAY_DB ${path('state/replay.db')};\n`
  writeFileSync(path('fwknopd.conf'), settings, { mode: 0o600 })
  writeFileSync(path('access.conf'), 'SOURCE ANY\nNAME first\nOPEN_PORTS tcp/22\nKEY one\nHMAC_KEY two\n', {
    mode: 0o600,
  })
})

describe('ghostport audit', () => {
  it('has a line of each change of a user, with what changed, and no key', async () => {
    await ok('user', 'add', 'ada', '--server', 'h.example', '--show-secrets', '--time', '60')
    await ok('user', 'rotate', 'ada', '--server', 'h.example', '--show-secrets')
    await ok('user', 'disable', 'ada')
    await ok('user', 'enable', 'ada')
    await ok('user', 'remove', 'ada')
    await ok('invite', 'bob', '--server', 'h.example', '--show-secrets')
    await ok('invite', 'eve', '--server', 'h.example', '--show-secrets', '--file', path('eve'))
    await ok('invite', 'confirm', 'eve', '--anyway')
    const link = (await ok('invite', 'joe', '--server', 'h.example', '--show-secrets')).trim()
    await home.ghostport(['invite', 'claim', '-c', path('fwknopd.conf')], { input: link })
    const again = await home.ghostport(['invite', 'claim', '-c', path('fwknopd.conf')], { input: link })
    assert.match(again.stderr, /INVITATION_ENDED/)
    await ok('invite', 'cancel', 'bob')
    const lines = await shown()
    assert.deepEqual(
      lines.map(({ did, to }) => `${did} ${to}`),
      [
        ...['user add ada', 'user rotate ada', 'user disable ada', 'user enable ada', 'user remove ada'],
        ...['invite bob', 'invite by file eve', 'invite confirm eve', 'invite joe', 'invite claim joe'],
        ...['invite cancel bob', 'user remove bob'],
      ],
    )
    const [added, rotated, , , removed] = lines
    for (const line of ['NAME ada', 'OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 60', 'KEY_BASE64 [secret]'])
      assert.ok(
        added?.after?.some((one) => one.replace(/\s+/g, ' ') === line),
        `${line}: ${added?.after}`,
      )
    assert.deepEqual(added?.before, [])
    assert.ok(rotated?.after?.includes('KEY_BASE64 [secret]'), `${rotated?.after}`)
    assert.ok(
      removed?.before?.some((one) => one.includes('NAME') && one.endsWith('ada')),
      `${removed?.before}`,
    )
    assert.match(added?.by.from ?? '', /192\.0\.2\.9$/)
    const log = readFileSync(path('state/audit.log'), 'utf8')
    const keys = [...readFileSync(path('access.conf'), 'utf8').matchAll(/KEY\S*\s+(\S+)/g)].map(([, key = '']) => key)
    for (const key of keys) assert.ok(!log.includes(key))
    assert.match(await ok('audit', 'verify'), /12 lines, and no line was changed\nthe last one: 12:[0-9a-f]{64}\n/)
    assert.match(await ok('audit', 'show', '--last', '1'), /^12 .*user remove bob {2}by uid \d+/)
  })

  it('says what is broken, and ends with 65', async () => {
    for (const action of ['disable', 'enable', 'disable']) await ok('user', action, 'first')
    const noted = /the last one: (\S+)/.exec(await ok('audit', 'verify'))?.[1] ?? ''
    assert.match(await ok('audit', 'verify', '--expect', noted), /3 lines/)
    const log = path('state/audit.log')
    writeFileSync(log, readFileSync(log, 'utf8').replace('enable', 'disable'))
    const broken = await run('audit', 'verify')
    assert.equal(broken.status, 65)
    assert.match(broken.stderr, /audit\.log:3: the line before it, number 2, was changed\n.*\[AUDIT_BROKEN\]/)
    const json = await run('audit', 'verify', '--json')
    assert.equal(json.status, 65)
    assert.equal(JSON.parse(json.stdout).findings.length, 1)
    rmSync(path('state'), { recursive: true })
    await ok('user', 'enable', 'first')
    assert.match((await run('audit', 'verify', '--expect', noted)).stderr, /line number 3 is not here/)
  })

  it('where nothing can be recorded, nobody gets in, and who must go is put out', async () => {
    const before = readFileSync(path('access.conf'), 'utf8')
    mkdirSync(path('state/audit.log'), { recursive: true })
    chmodSync(path('state'), 0o700)
    const added = await run('user', 'add', 'ada', '--server', 'h.example', '--show-secrets')
    assert.equal(added.status, 74)
    assert.match(added.stderr, /\[AUDIT_FAILED\]/)
    assert.equal(readFileSync(path('access.conf'), 'utf8'), before)
    const disabled = await run('user', 'disable', 'first')
    assert.equal(disabled.status, 0)
    assert.match(disabled.stderr, /disabled first .*\n.*the audit log has no line about it: /)
  })

  for (const [argv, pattern] of [
    [[], /missing argument ACTION/],
    [['verfy'], /no action “verfy” of “audit” — perhaps: ghostport audit verify/],
    [['verify', '--expect', '3'], /--expect: “3” is not NUMBER:HASH/],
    [['verify', '--last', '3'], /--last has no effect with “audit verify”/],
    [['show', '--expect', `3:${'0'.repeat(64)}`], /--expect has no effect with “audit show”/],
    [['show', '--last', '0'], /--last: “0” is not a whole number from 1/],
  ] as const)
    it(`refuses ${argv.join(' ')}`, async () => {
      const { status, stderr } = await run('audit', ...argv)
      assert.equal(status, 64)
      assert.match(stderr, pattern)
    })

  it('says so where nothing was recorded yet', async () => {
    assert.match(await ok('audit', 'verify'), /nothing was recorded yet/)
    assert.equal(await ok('audit', 'show'), '')
  })
})
