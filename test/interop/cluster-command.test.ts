/** `ghostport cluster` against a real etcd, with TLS and logins: a first node, a second one, and the way out. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Home, type Transcript } from '../cli/ghostport.ts'
import { ROOT, SecuredEtcd } from '../support/secured-etcd.ts'

/** What CVE-2026-33343 and CVE-2026-33413 are mended in. */
const MENDED = /^3\.(4\.(4[2-9]|[5-9]\d)|5\.(2[89]|[3-9]\d)|6\.(9|[1-9]\d)|[7-9]\.)/
const SETTINGS = '# of the administrator\nPCAP_INTF lo;\n'

describe('ghostport cluster', () => {
  const home = new Home()
  let etcd: SecuredEtcd
  let admin: string
  let init: readonly string[]

  before(async () => {
    etcd = await SecuredEtcd.start()
    // Written on another system.
    admin = home.write('admin', `${ROOT.password}\r\n`)
    init = [
      'init',
      'front',
      '--etcd',
      etcd.at,
      '--ca-file',
      etcd.caFile,
      '--node',
      'web-1',
      '--admin-password-file',
      admin,
    ]
  })
  after(async () => {
    await etcd[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })

  /** A host of its own: a folder with settings. */
  function host(name: string, settings = SETTINGS) {
    const folder = join(home.path, name)
    mkdirSync(folder)
    const replays = settings.includes('REPLAY_DB') ? '' : `REPLAY_DB ${join(folder, 'replay.db')};\n`
    const own = `AUDIT_LOG ${join(folder, 'audit.log')};\nCONTROL_SOCKET ${join(folder, 'control.sock')};\n${replays}`
    writeFileSync(join(folder, 'fwknopd.conf'), `${settings}${own}`, { mode: 0o600 })
    const path = (file: string): string => join(folder, file)
    return {
      path,
      text: (file = 'fwknopd.conf'): string => readFileSync(path(file), 'utf8'),
      run: (...words: readonly string[]): Promise<Transcript> =>
        // Up to three processes ask etcd, one after the other.
        home.ghostport(['cluster', ...words, '-c', path('fwknopd.conf')], { timeoutMs: 120_000 }),
    }
  }
  const one = host('one')
  const two = host('two')
  const refused = ({ status, stderr }: Transcript, code: string, why: RegExp): void => {
    assert.notEqual(status, 0)
    assert.match(stderr, new RegExp(`\\[${code}\\]`))
    assert.match(stderr, why)
  }

  it('is made in no etcd that lets everybody in, unless that is said', async () => {
    const before = one.text()
    refused(await one.run(...init), 'SETUP_REFUSED', /auth is off.*--no-login/s)
    assert.equal(one.text(), before)
    const open = host('open')
    const words = ['init', 'open', '--etcd', etcd.at, '--ca-file', etcd.caFile, '--node', 'web-1', '--no-login']
    const made = await open.run(...words)
    assert.equal(made.status, 0, made.stderr)
    assert.match(made.stderr, /warning: etcd asks nobody who he is/)
    // A second first node would have another secret, and neither would read what the other one writes.
    const now = Math.floor(Date.now() / 1000)
    const presence = JSON.stringify({ version: '9', life: 840, at: now, instance: 'x' })
    etcd.etcdctl(['put', 'ghostport/open/nodes/web-1', presence], false)
    const second = host('second')
    refused(await second.run(...words.with(-2, 'web-2')), 'SETUP_REFUSED', /its node web-1 runs.*cluster invite FILE/s)
    assert.equal(existsSync(second.path('cluster.secret')), false)
    const checked = await open.run('check', '--only', 'LOGIN')
    assert.equal(checked.status, 1)
    assert.match(checked.stdout, /error: etcd asks nobody who he is/)
    await etcd.enableLogins()
  })

  it('changes nothing where something is wrong', async () => {
    const before = one.text()
    const instead = (option: string, value: string): Promise<Transcript> => {
      const at = init.indexOf(option)
      return one.run(...init.slice(0, at), option, value, ...init.slice(at + 2))
    }
    const other = home.write('other', 'wrong\n')
    refused(await instead('--admin-password-file', other), 'ETCD_UNUSABLE', /authentication failed/)
    refused(await instead('--etcd', '127.0.0.1:1'), 'ETCD_UNUSABLE', /127\.0\.0\.1:1: .*ECONNREFUSED/)
    const strangers = home.write('strangers.pem', (await SecuredEtcd.otherAuthority()).cert, 0o644)
    refused(await instead('--ca-file', strangers), 'ETCD_UNUSABLE', /certificate|issuer/)
    const plain = ['init', 'front', '--etcd', etcd.at, '--node', 'web-1', '--admin-password-file', admin, '--plain']
    refused(await one.run(...plain), 'ETCD_UNUSABLE', /127\.0\.0\.1/)
    refused(await instead('--node', 'web 1'), 'VALUE_INVALID', /--node/)
    const named = await one.run(...init.with(1, 'front/a'))
    refused(named, 'VALUE_INVALID', /NAME: “front\/a” is not the name of a cluster/)
    const long = home.write('long', 'x'.repeat(5000))
    refused(await instead('--admin-password-file', long), 'KEY_INVALID', /long: a password has at most 1024 bytes/)
    // A rehearsal looks at the settings too.
    refused(await one.run(...init, '--user', 'a;b', '--dry-run'), 'VALUE_INVALID', /“a;b” is not a user of etcd/)
    const own = etcd.authority.issue(['DNS:web-1'])
    const [cert, key] = [home.write('a;b.pem', own.cert), home.write('own.key', own.key)]
    const odd = ['--certificate-file', cert, '--key-file', key, '--dry-run']
    refused(await one.run(...init, ...odd), 'VALUE_INVALID', /--certificate-file: .*“;”/)
    const strange = ['--certificate-file', etcd.caFile, '--key-file', key]
    refused(await one.run(...init, ...strange), 'KEY_INVALID', /own\.key is not the key of .*ca\.pem/)
    // As long as the list of a Linux distribution, and longer.
    const all = home.write('all.pem', readFileSync(etcd.caFile, 'utf8').repeat(550), 0o644)
    assert.ok(statSync(all).size > 300_000)
    const rehearsed = await one.run(...init.with(init.indexOf('--ca-file') + 1, all), '--dry-run')
    assert.equal(rehearsed.status, 0, rehearsed.stderr)
    assert.match(rehearsed.stdout, /the user ghostport-front: would be made/)
    assert.equal(one.text(), before)
    assert.equal(existsSync(one.path('cluster.password')), false)
    assert.doesNotMatch(etcd.etcdctl(['user', 'list']), /ghostport/)
  })

  it('is made, and made again', async () => {
    const made = await one.run(...init)
    assert.equal(made.status, 0, made.stderr)
    assert.match(made.stdout, /etcd: the user ghostport-front: made/)
    assert.equal(statSync(one.path('cluster.password')).mode & 0o777, 0o600)
    const [settings, password] = [one.text(), one.text('cluster.password')]
    assert.ok(settings.startsWith(SETTINGS))
    assert.match(settings, new RegExp(`^CLUSTER +etcds://ghostport-front@${etcd.at}/front;$`, 'm'))
    assert.doesNotMatch(made.stdout + made.stderr + settings, new RegExp(password.trim()))
    const again = await one.run(...init)
    assert.equal(again.status, 0, again.stderr)
    assert.doesNotMatch(again.stdout, /: made/)
    assert.deepEqual([one.text(), one.text('cluster.password')], [settings, password])
    assert.match(one.text('audit.log'), /"did":"cluster init","to":"front"/)
    assert.doesNotMatch(one.text('audit.log'), new RegExp(password.trim()))
    refused(await one.run(...init, '--user', 'another'), 'SETUP_REFUSED', /is in the cluster/)
  })

  it('takes a second node, and refuses what would do harm', async () => {
    const file = one.path('join')
    assert.equal((await one.run('invite', file)).status, 0)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.notEqual((await one.run('invite', file)).status, 0, 'a file that is there is kept')
    const older = host('older', `${SETTINGS}MAX_SPA_PACKET_AGE 600;\n`)
    refused(await older.run('join', file, '--node', 'web-3'), 'SETUP_REFUSED', /MAX_SPA_PACKET_AGE 120/)
    const now = Math.floor(Date.now() / 1000)
    const presence = { version: '9', life: 840, at: now, instance: 'x', later: 'unknown' }
    etcd.etcdctl(['put', 'ghostport/front/nodes/web-1', JSON.stringify(presence)])
    const before = two.text()
    refused(await two.run('join', file, '--node', 'web-1'), 'NODE_EXISTS', /a node web-1 runs already/)
    const damaged = home.write('damaged', readFileSync(file, 'utf8').slice(0, 200))
    refused(await two.run('join', damaged, '--node', 'web-2'), 'BUNDLE_INVALID', /not all of it/)
    const later = home.write('later', readFileSync(file, 'utf8').replace('"format":1', '"format":2'))
    refused(await two.run('join', later, '--node', 'web-2'), 'BUNDLE_INVALID', /later version/)
    for (const [field, value, why] of [
      ['secret', '###', /not base64/],
      ['secret', 'QUJD', /3 bytes, not 32 to 64/],
      ['password', 'two\nlines', /a password is one line/],
      ['authorities', 'nonsense', /no certificate in PEM form/],
    ] as const) {
      const edited = JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), [field]: value })
      refused(await two.run('join', home.write('edited', edited), '--node', 'web-2'), 'BUNDLE_INVALID', why)
    }
    const stranger = home.write(
      'stranger',
      readFileSync(file, 'utf8').replace(/"password":"...../, '"password":"wrong'),
    )
    refused(await two.run('join', stranger, '--node', 'web-2'), 'ETCD_UNUSABLE', /authentication failed/)
    writeFileSync(home.write('exposed', readFileSync(file, 'utf8'), 0o644), readFileSync(file))
    refused(await two.run('join', join(home.path, 'exposed'), '--node', 'web-2'), 'CONFIG_EXPOSED', /exposed/)
    assert.equal(two.text(), before)
    assert.equal(existsSync(two.path('cluster.password')), false)
    const shown = etcd.authority.issue(['DNS:web-2'])
    const own = [
      '--certificate-file',
      home.write('own.pem', shown.cert),
      '--key-file',
      home.write('own.key', shown.key),
    ]
    const joined = await two.run('join', file, '--node', 'web-2', ...own)
    assert.equal(joined.status, 0, joined.stderr)
    // Once more, without a name: it stays the same node.
    const settings = two.text()
    const again = await two.run('join', file)
    assert.equal(again.status, 0, again.stderr)
    assert.equal(two.text(), settings)
    for (const name of ['cluster.password', 'cluster.secret']) assert.equal(two.text(name), one.text(name))
    assert.equal(Buffer.from(one.text('cluster.secret'), 'base64').length, 32)
    const check = await home.ghostport(['check', '-c', two.path('fwknopd.conf')])
    assert.doesNotMatch(check.stderr, /CLUSTER/)
  })

  it('shows members and nodes, and finds what is wrong', async () => {
    const status = await two.run('status')
    assert.equal(status.status, 0, status.stderr)
    assert.match(status.stdout, new RegExp(`${etcd.at} +leader +etcd 3\\.`))
    assert.match(status.stdout, /web-1 +ghostport 9 +wrote \d+ s ago/)
    const { etcd: seen } = JSON.parse((await two.run('status', '--json')).stdout)
    assert.deepEqual([seen.auth, seen.permissions.covers, seen.permissions.beyond], ['on', 'yes', []])
    const isMended = MENDED.test(seen.members[0].version)
    assert.equal(seen.bound, isMended ? 'yes' : 'no')
    // Also for a node that shows a certificate: a stranger has none.
    assert.equal(seen.talkative, isMended ? 'no' : 'yes')
    const codes = async (...words: readonly string[]): Promise<Record<string, string>> => {
      const { stdout } = await two.run('check', '--json', ...words)
      const { checks } = JSON.parse(stdout) as { checks: { code: string; findings: { severity: string }[] }[] }
      return Object.fromEntries(
        checks.flatMap(({ code, findings: [f] }) => (f === undefined ? [] : [[code, f.severity]])),
      )
    }
    const usual = {
      ...{ MEMBERS: 'hint', NODES: 'warning', NODE_VERSIONS: 'hint' },
      ...(isMended ? {} : { PERMISSIONS: 'hint', LOGIN: 'hint' }),
    }
    assert.deepEqual(await codes('--days', '1'), usual)
    assert.equal((await codes('--days', '30'))['TLS'], 'warning')
    const now = Math.floor(Date.now() / 1000)
    const twin = { version: '9', life: 1320, at: now + 400, instance: 'y', twin: 'yes' }
    etcd.etcdctl(['put', 'ghostport/front/nodes/web-1', JSON.stringify(twin)])
    etcd.etcdctl(['role', 'grant-permission', 'ghostport-front', '--prefix=true', 'read', 'ghostport/'])
    etcd.etcdctl(['put', 'ghostport/front/closed-until', `${now + 500}`])
    assert.deepEqual(await codes('--days', '1'), {
      ...usual,
      ...{ PERMISSIONS: 'warning', CLOCKS: 'error', NODES: 'warning', PACKET_AGES: 'error', CLOSED: 'warning' },
    })
    etcd.etcdctl(['role', 'revoke-permission', 'ghostport-front', '--prefix=true', 'ghostport/front/'])
    assert.equal((await codes())['PERMISSIONS'], 'error')
    etcd.etcdctl(['role', 'revoke-permission', 'ghostport-front', '--prefix=true', 'ghostport/'])
    assert.equal((await codes())['LOGIN'], 'error')
    assert.equal((await two.run('check', '--only', 'MEMBERS')).status, 0)
    assert.equal((await two.run('check', '--only', 'nonsense')).status, 64)
  })

  it('is left: the settings become comments, the secrets go, and etcd keeps what it has', async () => {
    const rehearsed = await two.run('leave', '--dry-run')
    assert.equal(rehearsed.status, 0)
    assert.ok(existsSync(two.path('cluster.password')))
    refused(await two.run('leave'), 'CLI_USAGE', /no terminal/)
    const left = await two.run('leave', '--yes')
    assert.equal(left.status, 0, left.stderr)
    assert.match(left.stderr, /in etcd remain/)
    assert.doesNotMatch(two.text(), /^CLUSTER/m)
    for (const name of ['cluster.password', 'cluster.secret', 'cluster-ca.pem'])
      assert.equal(existsSync(two.path(name)), false, name)
    assert.match(etcd.etcdctl(['user', 'list']), /ghostport-front/)
    refused(await two.run('status'), 'SETUP_REFUSED', /in no cluster/)
    refused(await two.run('leave', '--yes'), 'SETUP_REFUSED', /in no cluster/)
    // An earlier leave was killed before it had removed everything.
    const kept = ['cluster.password', 'cluster.secret', 'replay.db-cluster-users.conf', 'replay.db-cluster-users']
    const drafts = kept.map((name) => `${name}.new-4711`)
    for (const name of [...kept, ...drafts]) writeFileSync(two.path(name), 'a secret\n', { mode: 0o600 })
    assert.equal((await two.run('leave', '--dry-run')).status, 0)
    assert.ok(existsSync(two.path('cluster.secret')))
    const rest = await two.run('leave', '--yes')
    assert.equal(rest.status, 0, rest.stderr)
    for (const name of [...kept, ...drafts]) assert.equal(existsSync(two.path(name)), false, name)
  })

  it('is left with the users of the cluster, and never so that the server would not start', async () => {
    const settings = [
      ...['CLUSTER etcd://127.0.0.1:2379/front', 'CLUSTER_NODE web-3', `CLUSTER_SECRET_FILE ${home.path}/three.secret`],
      ...['CLUSTER_USERS Y', 'CLUSTER_COPY_AGE 1000', `REPLAY_DB ${home.path}/three.db`],
      `ACCESS_FILE ${home.path}/three/access.conf`,
    ]
    writeFileSync(join(home.path, 'three.secret'), `${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 })
    const three = host('three', settings.map((line) => `${line};\n`).join(''))
    const keys = 'KEY one\nHMAC_KEY two\n'
    const copy = join(home.path, 'three.db-cluster-users.conf')
    writeFileSync(copy, `SOURCE ANY\nNAME ada\n${keys}`, { mode: 0o600 })
    writeFileSync(three.path('access.conf'), `SOURCE ANY\nNAME owner\nGATES web-*\n${keys}`, { mode: 0o600 })
    const before = three.text()
    refused(await three.run('leave', '--yes'), 'CONFIG_CONFLICT', /would not start afterwards: GATES needs CLUSTER/)
    assert.equal(three.text(), before)
    assert.ok(existsSync(copy))
    writeFileSync(three.path('access.conf'), `SOURCE ANY\nNAME owner\n${keys}`, { mode: 0o600 })
    // Who gets in by the cluster alone is named: not who is disabled, and not who is in access.conf too.
    const users = ['bob', 'Owner'].map((name) => `SOURCE ANY\nNAME ${name}\n${keys}`)
    const out = `SOURCE ANY\nNAME eve\n# ghostport: disabled. Before: no end\nACCESS_EXPIRE_EPOCH 1\n${keys}`
    const few = [`SOURCE ANY\nNAME ada\n${keys}`, ...users, out].join('\n')
    writeFileSync(copy, few, { mode: 0o600 })
    const rehearsed = await three.run('leave', '--dry-run')
    assert.equal(rehearsed.status, 0, rehearsed.stderr)
    assert.match(rehearsed.stdout, /^these users of the cluster get in here no more: ada, bob$/m)
    const { shutOut } = JSON.parse((await three.run('leave', '--dry-run', '--json')).stdout)
    assert.deepEqual(shutOut, ['ada', 'bob'])
    const many = Array.from({ length: 12 }, (_, i) => `SOURCE ANY\nNAME user-${i}\n${keys}`).join('\n')
    writeFileSync(copy, `${few}\n${many}`, { mode: 0o600 })
    const left = await three.run('leave', '--yes')
    assert.equal(left.status, 0, left.stderr)
    assert.match(left.stdout, /get in here no more: ada, bob, user-0, .*user-7 and 4 more$/m)
    assert.doesNotMatch(three.text(), /^CLUSTER/m)
    assert.equal(existsSync(copy), false, 'keys of all users of the cluster')
    assert.ok(existsSync(join(home.path, 'three.secret')), 'a file of the administrator')
  })

  it('sends a process without privilege to etcd', { skip: process.getuid?.() !== 0 }, async () => {
    const seen: string[] = []
    // The server that listens here decides what the process that connects reads.
    const listener = createServer((socket) => {
      for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) seen.push(...statusOfErrand(pid))
      socket.destroy()
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const { port } = listener.address() as AddressInfo
    const at = `127.0.0.1:${port}`
    const asked = await host('hostile').run('init', 'hostile', '--etcd', at, '--plain', '--no-login', '--node', 'a')
    listener.close()
    refused(asked, 'ETCD_UNUSABLE', /socket hang up|ECONNRESET/)
    assert.ok(seen.length > 0, 'the process was not seen')
    for (const status of seen) {
      assert.doesNotMatch(status, /^Uid:.*\b0\b/m)
      assert.match(status, /^CapPrm:\t0+$/m)
      assert.match(status, /^CapEff:\t0+$/m)
      assert.match(status, /^NoNewPrivs:\t1$/m)
    }
  })
})

/** /proc/PID/status, if that is the process that talks to etcd for a command. */
function statusOfErrand(pid: string): readonly string[] {
  try {
    const isErrand = readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('ghostport: cluster errand')
    return isErrand ? [readFileSync(`/proc/${pid}/status`, 'utf8')] : []
  } catch {
    return [] // It has ended.
  }
}
