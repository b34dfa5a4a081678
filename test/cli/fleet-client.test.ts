/** One secret for many servers in the rc file: `ghostport`, its `fwknop`, and the real fwknop. Nothing is sent. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const SECRET = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const FILE = `[ada]
FLEET
NODE_SECRET_BASE64  ${SECRET}
ALLOW_IP            source
ACCESS              tcp/22

[web-1]
FLEET               ada
NODE                web-1
SPA_SERVER          127.0.0.1

[web-2]
FLEET               ada
NODE                web-2
SPA_SERVER          127.0.0.2

[db-1]
FLEET               ada
NODE                db-1
SPA_SERVER          127.0.0.3
`
const rc = home.write('.fwknoprc', FILE)

const servers = (stdout: string): string[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).server)

describe('a fleet in the rc file', () => {
  for (const [argv, expected] of [
    [['web-2'], ['127.0.0.2']],
    [['web-1,db-1'], ['127.0.0.1', '127.0.0.3']],
    [
      ['-n', 'web-1,web-2'],
      ['127.0.0.1', '127.0.0.2'],
    ],
    [['web-*'], ['127.0.0.1', '127.0.0.2']],
    [['ada'], ['127.0.0.1', '127.0.0.2', '127.0.0.3']],
    [
      ['-n', 'db-1,ada'],
      ['127.0.0.3', '127.0.0.1', '127.0.0.2'],
    ],
  ] as const)
    it(`knock ${argv.join(' ')}`, async () => {
      const { status, stdout, stderr } = await home.ghostport(['knock', ...argv, '--test', '--json'])
      assert.equal(status, 0, stderr)
      assert.deepEqual(servers(stdout), expected)
      assert.ok(!`${stdout}${stderr}`.includes(SECRET))
    })

  for (const [argv, says] of [
    [['knock', 'wbe-1', '--test'], /no stanza \[wbe-1\] — perhaps: web-1/],
    [['knock', 'app-*', '--test'], /no stanza \[app-\*\]/],
    [['ssh', 'ada'], /\[ada\] is a fleet and no server: name one of its nodes: \[web-1\], \[web-2\], \[db-1\]/],
    [['proxy', 'ada', '22'], /\[ada\] is a fleet and no server/],
  ] as const)
    it(`${argv.join(' ')} says what to name`, async () => {
      const { status, stderr } = await home.ghostport(argv)
      assert.notEqual(status, 0)
      assert.match(stderr, says)
    })

  it('the program fwknop understands it as well', async () => {
    const { status, stdout, stderr } = await home.fwknop(['-n', 'web-1', '--no-save-args', '-T', '-a', '192.0.2.1'])
    assert.equal(status, 0, stderr)
    assert.match(stdout, /Message String: 192\.0\.2\.1,tcp\/22/)
  })

  it('the list of stanzas says which is a fleet', async () => {
    const { stdout } = await home.ghostport(['knock', '--stanza-list'])
    assert.match(stdout, / - ada \(a fleet: web-1, web-2, db-1\)\n - web-1\n - web-2\n - db-1\n$/)
  })

  it('the doctor looks at the nodes, and takes the fleet for no server', async () => {
    const { stdout } = await home.ghostport(['doctor', '--json', '--only', 'CLIENT_KEYS'])
    const [{ answer, seen }] = JSON.parse(stdout).checks
    assert.equal(answer, 'good', stdout)
    assert.doesNotMatch(String(seen), /\[ada\]/)
  })

  const real = '/usr/bin/fwknop'
  it('the real fwknop sends nothing, and never shows the secret', { skip: !existsSync(real) }, () => {
    for (const stanza of ['ada', 'web-1']) {
      const { status, stdout, stderr } = spawnSync(
        real,
        [
          '--rc-file',
          rc,
          '--no-home-dir',
          '--no-save-args',
          '-E',
          'none',
          '-n',
          stanza,
          '-D',
          '127.0.0.1',
          '-A',
          'tcp/22',
          '-a',
          '127.0.0.1',
          '-T',
        ],
        { encoding: 'utf8', input: '', timeout: 60_000 },
      )
      assert.equal(status, 1, stanza)
      assert.match(stderr, /Parameter error|Invalid entry/)
      assert.ok(!`${stdout}${stderr}`.includes(SECRET.slice(0, 8)), `${stanza}: ${stderr}`)
      assert.doesNotMatch(stdout, /Final SPA Data/)
    }
  })
})

describe('ghostport client with a fleet', () => {
  const other = join(home.path, 'other.rc')
  const LINE = `ghostport://fleet/1?name=ada&allow=127.0.0.1&open=tcp/22&secret=${SECRET.slice(0, -1)}&made=1764150000`
  const add = (nodes: string, ...argv: readonly string[]) =>
    home.ghostport(['client', 'add', '--rc-file', other, ...argv], { input: `${LINE}${nodes}\n` })
  const text = (): string => readFileSync(other, 'utf8')

  it('adds all nodes at once', async () => {
    rmSync(other, { force: true })
    const { status, stdout, stderr } = await add('&node=web-1,127.0.0.1&node=db,127.0.0.3,62203,db.2')
    assert.equal(status, 0, stderr)
    assert.match(stderr, /added the fleet \[ada\] in .*: \[web-1\], \[db\]\n/)
    assert.equal(stdout, 'ghostport knock web-1 --wait\n')
    assert.match(
      text(),
      /^\[ada\]\n# ghostport: keys of 2025-11-26T09:40:00Z\nFLEET\nNODE_SECRET_BASE64 +AAEC.*\nALLOW_IP +127\.0\.0\.1\nACCESS +tcp\/22\n\n\[web-1\]\nFLEET +ada\nNODE +web-1\nSPA_SERVER +127\.0\.0\.1\n\n\[db\]\nFLEET +ada\nNODE +db\.2\n/,
    )
    assert.ok(!`${stdout}${stderr}`.includes(SECRET.slice(0, 8)))
  })

  it('replaces them only if asked, and removes the nodes that are gone', async () => {
    const before = text()
    const refused = await add('&node=web-1,127.0.0.9')
    assert.equal(refused.status, 78)
    assert.match(refused.stderr, /has the stanzas \[ada\], \[web-1\] already — perhaps: --replace/)
    assert.equal(text(), before)
    const { status, stdout, stderr } = await add('&node=web-1,127.0.0.9&node=web-2,127.0.0.2', '--replace', '--json')
    assert.equal(status, 0, stderr)
    const { replaced, removed, nodes } = JSON.parse(stdout)
    assert.deepEqual([nodes, replaced, removed], [['web-1', 'web-2'], ['ada', 'web-1'], ['db']])
    assert.doesNotMatch(text(), /\[db\]|127\.0\.0\.3/)
    assert.equal(text().match(/NODE_SECRET_BASE64/g)?.length, 1)
  })

  it('a knock in vain says of when the secret is', async () => {
    const argv = ['knock', 'web-1', '--rc-file', other, '-A', 'tcp/1', '-D', '127.0.0.1', '--wait', '--wait-limit', '1']
    const { stderr } = await home.ghostport(argv)
    assert.match(stderr, /The keys of \[web-1\] were made at 2025-11-26T09:40:00Z/)
  })

  it('a line with a fault writes nothing', async () => {
    const before = text()
    const { status, stderr } = await add('&node=Web-9,h')
    assert.equal(status, 65)
    assert.match(stderr, /“node”: a name of a node is made of .* — perhaps: web-9 \[PROFILE_INVALID\]/)
    assert.equal(text(), before)
  })

  it('exports one node, and the real fwknop takes it', async () => {
    const { status, stdout, stderr } = await home.ghostport(['client', 'export', 'WEB-1'])
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^\[web-1\]\nALLOW_IP +source\nACCESS +tcp\/22\nSPA_SERVER +127\.0\.0\.1\nKEY_BASE64 +35yp/)
    assert.ok(!stdout.includes(SECRET))
    const old = home.write('old.rc', stdout)
    if (!existsSync('/usr/bin/fwknop')) return
    const argv = ['--rc-file', old, '--no-home-dir', '--no-save-args', '-E', 'none', '-n', 'web-1', '-T']
    const ran = spawnSync('/usr/bin/fwknop', argv, { encoding: 'utf8', timeout: 60_000 })
    assert.match(ran.stdout, /Final SPA Data/, ran.stderr)
  })

  for (const [argv, says] of [
    [['export', 'ada'], /\[ada\] is a fleet: .* — perhaps: ghostport client export web-1/],
    [['export', 'web-3'], /has no stanza \[web-3\] — perhaps: web-/],
    [['export'], /missing argument STANZA/],
    [['export', 'web-1', '--replace'], /--replace has no effect with “client export”/],
  ] as const)
    it(`client ${argv.join(' ')} is refused`, async () => {
      const { status, stderr } = await home.ghostport(['client', ...argv])
      assert.notEqual(status, 0)
      assert.match(stderr, says)
    })
})
