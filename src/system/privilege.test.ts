import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import {
  type Account,
  checkSituation,
  checkUnprivileged,
  currentSituation,
  findAccount,
  parsePrivileges,
  receiverCommand,
  type Situation,
} from './privilege.ts'

const nobody: Account = { name: 'nobody', uid: 65534, gid: 65534 }
const everyone = '         0          0 4294967295\n'

describe('an account', () => {
  const passwd = [
    'root:x:0:0:root:/root:/bin/bash',
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    'nobody2:x:7:8::/:/bin/false',
    'broken:x:-1:65534:::',
    'toor:x:0:0::/root:/bin/sh',
    'short:x',
    '',
  ].join('\n')

  it('is found by its name', () => {
    assert.deepEqual(findAccount(passwd, 'nobody'), { ok: true, value: nobody })
    assert.deepEqual(findAccount(passwd, 'nobody2'), { ok: true, value: { name: 'nobody2', uid: 7, gid: 8 } })
  })

  for (const user of ['daemon', 'nobod', 'broken', 'toor', 'short', '', 'x', '65534'])
    it(`is refused where there is none: “${user}”`, () => {
      const found = findAccount(passwd, user)
      assert.equal(found.ok ? 'found' : found.failure.code, 'CONFIG_INVALID_VALUE')
    })
})

describe('the receiver’s command', () => {
  const root: Situation = {
    uid: 0,
    uidMap: everyone,
    setpriv: '/usr/bin/setpriv',
    maySetUser: true,
    mayKill: true,
    mayDropBounding: true,
    mayReadAll: true,
  }
  const node = ['/usr/bin/node', '--flag', 'receiver.js'] as const

  it('leaves what it takes to become another user, and closes the way back', () => {
    const command = receiverCommand([...node], nobody, root)
    assert.equal(command.file, '/usr/bin/setpriv')
    assert.equal(
      command.args.join(' '),
      '--inh-caps=-all --ambient-caps=-all --bounding-set=-all,+setuid,+setgid,+setpcap,+dac_read_search ' +
        '--no-new-privs -- /usr/bin/node --flag receiver.js --become 65534:65534',
    )
    assert.equal(command.separateUser, true)
  })

  it('asks for no capability that the warden lacks', () => {
    const { args } = receiverCommand([...node], nobody, { ...root, mayReadAll: false })
    assert.ok(args.includes('--bounding-set=-all,+setuid,+setgid,+setpcap'))
    const { args: others } = receiverCommand([...node], nobody, { ...root, mayDropBounding: false })
    assert.deepEqual(others.slice(0, 3), ['--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs'])
  })

  it('without setpriv, leaves all of that to the receiver', () => {
    const command = receiverCommand([...node], nobody, { ...root, setpriv: undefined })
    assert.equal(command.file, '/usr/bin/node')
    assert.deepEqual(command.args, ['--flag', 'receiver.js', '--become', '65534:65534'])
    assert.equal(command.separateUser, true)
  })

  it('in a user namespace without that account, keeps the user and drops the rest', () => {
    const command = receiverCommand([...node], nobody, { ...root, uidMap: '         0       1000          1\n' })
    assert.ok(!command.args.includes('--become'))
    assert.ok(command.args.includes('--bounding-set=-all'))
    assert.equal(command.separateUser, false)
  })

  it('as an ordinary user, asks for nothing that would be refused', () => {
    const command = receiverCommand([...node], nobody, {
      ...root,
      uid: 1000,
      maySetUser: false,
      mayDropBounding: false,
    })
    assert.deepEqual(command.args, ['--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs', '--', ...node])
    assert.equal(command.separateUser, false)
  })

  it('is refused where the receiver would keep root’s rights, naming the capability that is missing', () => {
    const rootless = '         0       1000          1\n'
    const verdict = (situation: Partial<Situation>): string => {
      const checked = checkSituation(nobody, { ...root, ...situation })
      return checked.ok ? 'ok' : `${checked.failure.code} ${checked.failure.detail}`
    }
    assert.equal(verdict({}), 'ok')
    assert.equal(verdict({ mayDropBounding: false }), 'ok')
    assert.equal(verdict({ uid: 1000, maySetUser: false, mayDropBounding: false }), 'ok')
    assert.equal(verdict({ uidMap: rootless }), 'ok')
    assert.match(verdict({ maySetUser: false }), /^PRIVILEGE_MISSING .*CAP_SETUID or CAP_SETGID/)
    assert.match(verdict({ mayKill: false }), /^PRIVILEGE_MISSING .*CAP_KILL/)
    assert.match(verdict({ uidMap: '         0          0          1\n' }), /^PRIVILEGE_MISSING .*user 65534/)
    assert.match(verdict({ uidMap: rootless, mayDropBounding: false }), /^PRIVILEGE_MISSING .*CAP_SETPCAP/)
    assert.match(verdict({ uidMap: rootless, setpriv: undefined }), /^PRIVILEGE_MISSING .*setpriv/)
  })

  it('hands on nothing of the environment that could steer Node', () => {
    const names = Object.keys(receiverCommand([...node], nobody, currentSituation()).options.env ?? {})
    assert.deepEqual(
      names.filter((name) => !['PATH', 'LC_ALL', 'TZ', 'JOURNAL_STREAM'].includes(name)),
      [],
    )
  })
})

describe('privileges', () => {
  const status = (lines: Record<string, string>): string =>
    Object.entries({
      Name: 'node',
      Uid: '65534\t65534\t65534\t65534',
      Gid: '65534\t65534\t65534\t65534',
      Groups: ' ',
      CapInh: '0000000000000000',
      CapPrm: '0000000000000000',
      CapEff: '0000000000000000',
      CapBnd: '0000000000000000',
      CapAmb: '0000000000000000',
      NoNewPrivs: '1',
      ...lines,
    })
      .map(([name, value]) => `${name}:\t${value}\n`)
      .join('')
  const verdict = (lines: Record<string, string>, uidMap: string | undefined = everyone): string => {
    const checked = checkUnprivileged(parsePrivileges(status(lines)), uidMap)
    return checked.ok ? 'ok' : checked.failure.code
  }

  it('are read from /proc', () => {
    assert.deepEqual(parsePrivileges(status({ CapBnd: '000001ffffffffff', Groups: '4 24 ' })), {
      uid: 65534,
      gid: 65534,
      groups: [4, 24],
      permitted: 0n,
      effective: 0n,
      inheritable: 0n,
      ambient: 0n,
      bounding: 0x1ffffffffffn,
      noNewPrivileges: true,
    })
  })

  it('may be none at all', () => assert.equal(verdict({}), 'ok'))
  it('may leave a bounding set where setpriv is missing', () => assert.equal(verdict({ CapBnd: '1ff' }), 'ok'))
  for (const set of ['CapPrm', 'CapEff', 'CapAmb'])
    it(`may not hold one capability in ${set}`, () =>
      assert.equal(verdict({ [set]: '0000000000002000' }), 'PRIVILEGE_EXCESSIVE'))
  it('may not be those of root, even without capabilities', () =>
    assert.equal(verdict({ Uid: '0\t0\t0\t0' }), 'PRIVILEGE_EXCESSIVE'))
  it('may be those of a root that is an ordinary user outside', () =>
    assert.equal(verdict({ Uid: '0\t0\t0\t0' }, '         0       1000          1\n'), 'ok'))
  it('are never guessed: a line that is missing is an error', () =>
    assert.throws(() => parsePrivileges('Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\n')))
})

describe('a receiver that cannot learn what it may do', { skip: process.platform !== 'linux' }, () => {
  /** What it says of itself, without a free descriptor. @param native whether the native part was loaded before. */
  function withoutDescriptors(native: boolean): {
    readonly ok: boolean
    readonly code?: string
    readonly open: boolean
  } {
    const modules = ['privilege.ts', 'libc.ts'].map((name) => JSON.stringify(new URL(name, import.meta.url).href))
    const script = `
      const fs = require('node:fs')
      Promise.all([${modules.map((module) => `import(${module})`).join()}]).then(([{ assertUnprivileged }, { libc }]) => {
        const loaded = ${native} && libc()
        // A whole file first: reading needs code that Node loads late.
        fs.readFileSync('/proc/self/status', 'utf8')
        const held = []
        try {
          for (let i = 0; i < 1000; i++) held.push(fs.openSync('/dev/null'))
        } catch {}
        const { ok, failure } = assertUnprivileged()
        for (const fd of held) fs.closeSync(fd)
        const open = loaded && loaded.prctl(3, 0, 0, 0, 0) !== 0
        console.log(JSON.stringify({ ok, code: failure?.code, open }))
      })`
    const argv = ['--nofile=200', process.execPath, '--conditions=ghostport-source', '-e', script]
    const { stdout, stderr } = spawnSync('prlimit', argv, { encoding: 'utf8' })
    assert.match(stdout, /^\{/, stderr)
    return JSON.parse(stdout)
  }

  it('does not run, and may be started again', () => {
    assert.deepEqual(withoutDescriptors(true), { ok: false, code: 'RECEIVER_GONE', open: false })
  })

  it('does not run without the native part either', () => {
    assert.deepEqual(withoutDescriptors(false), { ok: false, code: 'RECEIVER_GONE', open: false })
  })
})
