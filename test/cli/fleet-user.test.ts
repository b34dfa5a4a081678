/** `ghostport user` with `--nodes`, and `user import`: two nodes, as two folders. No server runs. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { nodeProfiles, parseFleetProfile } from '../../src/config/client/fleet-profile.ts'
import { must } from '../support/results.ts'
import { Home, type Transcript } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

type Host = 'web-1' | 'web-2' | 'laptop'
let folder = ''
let count = 0
const path = (host: Host, name: string): string => join(folder, host, name)
const text = (host: Host, name = 'access.conf'): string => readFileSync(path(host, name), 'utf8')
const bundles = (): string[] => readdirSync(join(folder, 'out')).sort()
const bundle = (name: string): string => join(folder, 'out', name)
const NODES = 'NODE web-1\nSERVER w1.example\n%1\nNODE web-b\nKEY_NAME web-2\nSERVER 192.0.2.2\nPORT 62202\n%2\n'

const run = (host: Host, argv: readonly string[], input?: string): Promise<Transcript> =>
  home.ghostport(
    ['user', ...argv, ...(host === 'laptop' ? [] : ['-c', path(host, 'fwknopd.conf')])],
    input === undefined ? {} : { input },
  )
const ok = async (...given: Parameters<typeof run>): Promise<Transcript> => {
  const said = await run(...given)
  assert.equal(said.status, 0, said.stderr)
  return said
}
const add = (...argv: readonly string[]) =>
  ok('web-1', [
    'add',
    'ada',
    '--nodes',
    'web-*',
    '--bundle-folder',
    join(folder, 'out'),
    '--show-secrets',
    '--json',
    ...argv,
  ])
const secretIn = (stdout: string): string => must(parseFleetProfile(JSON.parse(stdout).profile)).secret
/** The keys of a node, as the profile derives them. */
const keyOf = (stdout: string, node: string): string => {
  const profile = nodeProfiles(must(parseFleetProfile(JSON.parse(stdout).profile))).find(({ name }) => name === node)
  return profile?.settings.find(({ name }) => name === 'KEY_BASE64')?.value ?? ''
}

beforeEach(() => {
  folder = join(home.path, `fleet${++count}`)
  for (const host of ['web-1', 'web-2', 'laptop'] as const) {
    mkdirSync(join(folder, host), { recursive: true, mode: 0o700 })
    if (host === 'laptop') continue
    const own = (name: string): string => path(host, name)
    const settings = `CONTROL_SOCKET ${own('control.sock')};\nREPLAY_DB ${own('replay.db')};\nAUDIT_LOG ${own('audit.log')};\n`
    writeFileSync(own('fwknopd.conf'), settings, { mode: 0o600 })
    writeFileSync(own('access.conf'), 'SOURCE ANY\nNAME admin\nOPEN_PORTS tcp/22\nKEY admin\n', { mode: 0o600 })
    const list = NODES.replace('%1', host === 'web-1' ? 'THIS Y' : '').replace('%2', host === 'web-2' ? 'THIS Y' : '')
    writeFileSync(own('nodes.conf'), list, { mode: 0o600 })
  }
  mkdirSync(join(folder, 'out'), { mode: 0o700 })
})

describe('ghostport user add --nodes', () => {
  it('writes keys for this node, a bundle for each other one, and no secret', async () => {
    const { stdout } = await add()
    assert.deepEqual(bundles(), ['ada.web-b.bundle'])
    const file = bundle('ada.web-b.bundle')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const own = text('web-1')
    const carried = readFileSync(file, 'utf8')
    assert.match(
      own,
      /\nSOURCE +ANY\nNAME +ada\n# ghostport: keys of node web-1, made \d+, for web-1,web-2\nOPEN_PORTS +tcp\/22\nKEY_BASE64/,
    )
    assert.match(carried, /\nNODE +web-2\nMADE +\d+\nSOURCE +ANY\nNAME +ada\nOPEN_PORTS +tcp\/22\nKEY_BASE64/)
    const [one, other] = [keyOf(stdout, 'web-1'), keyOf(stdout, 'web-b')]
    assert.ok(own.includes(one) && !own.includes(other))
    assert.ok(carried.includes(other) && !carried.includes(one))
    for (const written of [own, carried, text('web-1', 'audit.log')])
      assert.ok(!written.includes(secretIn(stdout).slice(0, 16)))
    const { nodes, bundles: told } = JSON.parse(stdout)
    assert.deepEqual(nodes, ['web-1', 'web-b'])
    assert.deepEqual(told, [{ node: 'web-b', keyName: 'web-2', server: '192.0.2.2:62202', file }])
    assert.match(stdout, /node=web-1,w1\.example&node=web-b,192\.0\.2\.2,62202,web-2"/)
  })

  it('on the other node, import adds the user; a second time changes nothing', async () => {
    const { stdout } = await add('--expire', '30d', '--open', 'tcp/443')
    const file = bundle('ada.web-b.bundle')
    const first = await ok('web-2', ['import', file])
    assert.match(first.stderr, /added ada, with keys for web-b: may open tcp\/443\n.*\n?.*delete .*bundle: it has keys/)
    const after = text('web-2')
    assert.match(
      after,
      /\nNAME +ada\n# ghostport: keys of node web-2, made \d+\nOPEN_PORTS +tcp\/443\nACCESS_EXPIRE_EPOCH +\d+\nKEY_BASE64/,
    )
    assert.ok(after.includes(keyOf(stdout, 'web-b')))
    const again = await ok('web-2', ['import', file])
    assert.match(again.stderr, /ada has these keys already: nothing changed/)
    assert.equal(text('web-2'), after)
    assert.match(text('web-2', 'audit.log'), /"did":"user import"/)
  })

  it('import reads standard input, and its options say otherwise than the bundle', async () => {
    await add()
    await ok(
      'web-2',
      ['import', '--open', 'udp/53', '--source', '10.0.0.0/8'],
      readFileSync(bundle('ada.web-b.bundle'), 'utf8'),
    )
    assert.match(text('web-2'), /\nSOURCE +10\.0\.0\.0\/8\nNAME +ada\n#.*\nOPEN_PORTS +udp\/53\n/)
  })

  it('a bundle for another node, or on a host that does not know which it is, is refused', async () => {
    await add()
    const before = text('web-1')
    const here = await run('web-1', ['import', bundle('ada.web-b.bundle')])
    assert.match(here.stderr, /it is for the node web-2, and this host is web-1 \[BUNDLE_REFUSED\]/)
    assert.equal(text('web-1'), before)
    writeFileSync(path('web-2', 'nodes.conf'), NODES.replace('%1', '').replace('%2', ''))
    const unknown = await run('web-2', ['import', bundle('ada.web-b.bundle')])
    assert.match(unknown.stderr, /does not say which node this host is — perhaps: ghostport node add web-2 --this/)
  })

  it('rotate: another secret, for the same nodes; an old bundle is refused afterwards', async () => {
    const { stdout } = await add()
    const file = bundle('ada.web-b.bundle')
    await ok('web-2', ['import', file])
    const old = readFileSync(file, 'utf8')
    mkdirSync(join(folder, 'new'), { mode: 0o700 })
    const rotated = await ok('web-1', [
      'rotate',
      'ada',
      '--bundle-folder',
      join(folder, 'new'),
      '--show-secrets',
      '--json',
      '--overlap',
      '12h',
    ])
    assert.notEqual(secretIn(rotated.stdout), secretIn(stdout))
    const { nodes, oldKeys, withoutNewKeys } = JSON.parse(rotated.stdout)
    assert.deepEqual([nodes, withoutNewKeys], [['web-1', 'web-b'], []])
    assert.match(oldKeys, /^ada\.old-\d{8}$/)
    const imported = await ok('web-2', ['import', join(folder, 'new', 'ada.web-b.bundle')])
    assert.match(imported.stderr, /ada has new keys for web-b\. The old ones, called ada\.old-\d{8}, open until /)
    for (const [host, node] of [
      ['web-1', 'web-1'],
      ['web-2', 'web-b'],
    ] as const) {
      const [now = '', before = ''] = text(host).split('# ghostport: old keys of ada')
      assert.ok(now.includes(keyOf(rotated.stdout, node)), host)
      assert.ok(before.includes(keyOf(stdout, node)), host)
    }
    assert.equal(
      /ACCESS_EXPIRE_EPOCH +(\d+)/.exec(text('web-1'))?.[1],
      /ACCESS_EXPIRE_EPOCH +(\d+)/.exec(text('web-2'))?.[1],
    )
    const again = await run('web-2', ['import'], old)
    assert.match(again.stderr, /older than the keys that ada has here .*\[BUNDLE_REFUSED\]/)
  })

  it('a device without a server makes the secret, and no server sees it', async () => {
    const list = path('laptop', 'nodes.conf')
    writeFileSync(list, NODES.replace('%1', '').replace('%2', ''), { mode: 0o600 })
    const argv = [
      'add',
      'ada',
      '--nodes',
      '*',
      '--nodes-file',
      list,
      '--bundle-folder',
      join(folder, 'out'),
      '--show-secrets',
    ]
    const refused = await run('laptop', argv)
    assert.match(refused.stderr, /this host is none of these nodes.*--open is needed/)
    assert.deepEqual(bundles(), [])
    const { stdout, stderr } = await ok('laptop', [...argv, '--open', 'tcp/22'])
    assert.match(
      stderr,
      /nothing changed here\n[\s\S]*ssh w1\.example sudo ghostport user import < .*ada\.web-1\.bundle\n/,
    )
    assert.match(
      stdout,
      /\[ada\]\nFLEET\nNODE_SECRET_BASE64 [\s\S]*\[web-1\]\nFLEET +ada\nNODE +web-1\n[\s\S]*ghostport:\/\/fleet\/1\?/,
    )
    assert.deepEqual(bundles(), ['ada.web-1.bundle', 'ada.web-b.bundle'])
    await ok('web-1', ['import', bundle('ada.web-1.bundle')])
    assert.match(text('web-1'), /keys of node web-1, made \d+\n/)
  })

  it('the user extends the fleet: the secret stays on the device', async () => {
    const { stdout } = await add('--profile-file', join(folder, 'profile'))
    const rc = path('laptop', 'rc')
    const added = await home.ghostport(['client', 'add', '--file', join(folder, 'profile'), '--rc-file', rc])
    assert.equal(added.status, 0, added.stderr)
    const file = join(folder, 'out', 'db')
    const argv = ['client', 'extend', 'db-1', '--server', '[2001:db8::3]:53', '--rc-file', rc, '--bundle-file', file]
    const extended = await home.ghostport(argv)
    assert.equal(extended.status, 0, extended.stderr)
    assert.match(
      readFileSync(rc, 'utf8'),
      /\[db-1\]\nFLEET +ada\nNODE +db-1\nSPA_SERVER +2001:db8::3\nSPA_SERVER_PORT +53\n$/,
    )
    const carried = readFileSync(file, 'utf8')
    assert.match(carried, /NODE +db-1\nMADE +\d+\nNAME +ada\nKEY_BASE64/)
    assert.ok(!carried.includes(secretIn(stdout).slice(0, 16)))
    writeFileSync(path('web-2', 'nodes.conf'), 'NODE db-1\nSERVER h\nTHIS Y\n')
    await ok('web-2', ['import', file])
    assert.match(text('web-2'), /\nNAME +ada\n# ghostport: keys of node db-1, made \d+\nOPEN_PORTS +tcp\/22\n/)
    const same = await home.ghostport([...argv.slice(0, 2), 'db-2', ...argv.slice(3), '--key-name', 'db-1'])
    assert.match(same.stderr, /\[db-1\] has the key name db-1 already: a packet for one would open the other/)
  })

  for (const [argv, says] of [
    [['add', 'ada', '--nodes', 'app-*', '--show-secrets'], /no node fits “app-\*”.*\[NODE_UNKNOWN\]/],
    [['add', 'ada', '--nodes', 'web-3', '--show-secrets'], /there is no node web-3 — perhaps: web-/],
    [['add', 'web-1', '--nodes', 'web-*', '--show-secrets'], /“web-1” is the name of a node.*--alias web-1-fleet/],
    [
      ['add', 'ada', '--nodes', '*', '--server', 'h', '--show-secrets'],
      /--server is for one server.*ghostport node set/,
    ],
    [['add', 'ada', '--nodes', '*', '--qr', 'android', '--show-secrets'], /Fwknop2 knows no fleet/],
    [['add', 'ada', '--nodes', '*'], /the new keys are shown once/],
    [['add', 'ada', '--bundle-folder', 'x', '--show-secrets'], /--bundle-folder has no effect without --nodes/],
    [
      ['add', 'ada', '--nodes', '*', '--bundle-folder', '/nowhere', '--show-secrets'],
      /\/nowhere\/ada\.web-b\.bundle: .*\[CONFIG_UNWRITABLE\]/,
    ],
    [['rotate', 'admin', '--nodes', '*', '--open', 'tcp/22', '--show-secrets'], /--open has no effect here/],
    [['import', '/nowhere'], /\[CONFIG_UNREADABLE\]/],
  ] as const)
    it(`${argv.join(' ')} is refused, and changes nothing`, async () => {
      const before = text('web-1')
      const { status, stderr } = await run('web-1', argv)
      assert.notEqual(status, 0)
      assert.match(stderr, says)
      assert.equal(text('web-1'), before)
    })
})
