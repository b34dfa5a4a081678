import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { helperService } from '../../../../test/support/helper-service.ts'
import { parseFwknopdConf } from '../../../config/server/parse-fwknopd-conf.ts'
import { currentSituation, type Situation } from '../../../system/privilege.ts'
import { lookupAccounts } from '../receiver-process/receiver-user.ts'
import {
  findGetent,
  lookupCommand,
  missingGetent,
  parseAnswer,
  resolverBySocket,
  systemResolver,
} from './ask-resolver.ts'

const root: Situation = {
  uid: 0,
  uidMap: '         0          0 4294967295\n',
  setpriv: '/usr/bin/setpriv',
  maySetUser: true,
  mayDropBounding: true,
  mayReadAll: true,
  mayKill: true,
}
const own = { name: 'user 60901', uid: 60_901, gid: 60_901 }
const receiver = { name: 'ghostport', uid: 998, gid: 997 }
const question = { name: 'inner.example', family: 4 } as const

describe('the command that looks a name up', () => {
  const command = (situation: Situation, family: 4 | 6 = 4) => {
    const { file, args, options } = lookupCommand(
      { ...question, family },
      [own, receiver],
      situation,
      '/usr/bin/getent',
    )
    return { line: [file, ...args].join(' '), options }
  }
  const dropped = '--inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs --pdeathsig=KILL'

  it('is getent, as a user of its own, without any privilege', () => {
    const { line, options } = command(root)
    assert.equal(
      line,
      `/usr/bin/setpriv --reuid=60901 --regid=60901 --clear-groups ${dropped} -- /usr/bin/getent ahostsv4 inner.example`,
    )
    assert.deepEqual(options, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', RES_OPTIONS: 'timeout:1 attempts:2' },
    })
  })
  it('can start nothing that outlives it, where prlimit is installed', () => {
    const { file, args } = lookupCommand(question, [own], root, '/usr/bin/getent', '/usr/bin/prlimit')
    assert.match(
      [file, ...args].join(' '),
      /--pdeathsig=KILL -- \/usr\/bin\/prlimit --nproc=0 --fsize=0 --as=268435456 \/usr\/bin\/getent ahostsv4 inner\.example$/,
    )
    const bare = lookupCommand(question, [own], { ...root, setpriv: undefined }, '/usr/bin/getent', '/usr/bin/prlimit')
    assert.deepEqual([bare.file, bare.options.uid], ['/usr/bin/prlimit', 60_901])
  })
  it('asks for IPv6 addresses where the client has one', () =>
    assert.match(command(root, 6).line, /getent ahostsv6 inner\.example$/))
  it('becomes the user without setpriv too', () => {
    const { line, options } = command({ ...root, setpriv: undefined })
    assert.equal(line, '/usr/bin/getent ahostsv4 inner.example')
    assert.deepEqual([options.uid, options.gid], [60_901, 60_901])
  })
  it('becomes the receiver’s user where its own does not exist', () =>
    assert.match(
      command({ ...root, uidMap: '0 1000 1\n998 100000 1\n' }).line,
      /--reuid=998 --regid=997 --clear-groups/,
    ))
  it('stays the warden’s user where that is all there is, without capabilities', () => {
    const { line } = command({ ...root, uid: 1000, maySetUser: false, mayDropBounding: false })
    assert.equal(
      line,
      `/usr/bin/setpriv ${dropped.replace('--bounding-set=-all ', '')} -- /usr/bin/getent ahostsv4 inner.example`,
    )
  })
})

it('names are looked up as a user that is not the receiver', () => {
  const [first, last] = lookupAccounts({ name: 'user 60900', uid: 60_900, gid: 60_900 })
  assert.ok(first !== undefined && first.uid > 60_900 && first.uid <= 60_999)
  assert.equal(last?.uid, 60_900)
})

it('a look-up that a DNS server has taken over cannot leave a process behind', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-lookup-'))
  t.after(() => rmSync(folder, { recursive: true }))
  chmodSync(folder, 0o755)
  const program = join(folder, 'getent')
  writeFileSync(program, '#!/bin/sh\nsleep 1 &\necho left\n', { mode: 0o755 })
  const run = (prlimit?: string) => {
    const { file, args, options } = lookupCommand(question, [own], currentSituation(), program, prlimit)
    return spawnSync(file, [...args], { ...options, encoding: 'latin1', timeout: 10_000 })
  }
  assert.equal(run().stdout, 'left\n')
  const { stdout, stderr } = run('/usr/bin/prlimit')
  assert.deepEqual([stdout, /fork/i.test(stderr)], ['', true], stderr)
})

it('a start warns where names are wanted and getent is missing', () => {
  const notices = (conf: string, hasGetent = false) => {
    const parsed = parseFwknopdConf('/fwknopd.conf', conf)
    assert.ok(parsed.ok)
    const { config, at } = parsed.value
    return missingGetent({ policy: { ...config.policy, stanzas: [] }, at }, hasGetent)
  }
  const on = 'ENABLE_IPT_FORWARDING Y;\n'
  assert.deepEqual([notices(''), notices(`${on}ENABLE_NAT_DNS N;\n`), notices(on, true)], [[], [], []])
  const [implied, ...more] = notices(on)
  assert.match(implied?.text ?? '', /ENABLE_NAT_DNS: .*getent.*libc-bin/)
  assert.deepEqual([implied?.level, implied?.at, more], ['warning', undefined, []])
  assert.deepEqual(notices(`${on}ENABLE_NAT_DNS Y;\n`)[0]?.at, { file: '/fwknopd.conf', line: 2 })
})

describe('what getent writes', () => {
  const cases: [text: string, family: 4 | 6, address: string | undefined][] = [
    ['10.0.0.5        STREAM inner.example\n10.0.0.5        DGRAM  \n', 4, '10.0.0.5'],
    ['fd00::5         STREAM inner.example\n', 6, 'fd00::5'],
    ['::ffff:10.0.0.5 STREAM inner.example\n', 6, undefined],
    ['fd00::5         STREAM inner.example\n', 4, undefined],
    ['10.0.0.5        STREAM inner.exam', 4, undefined],
    ['fe80::1%eth0    STREAM inner.example\n', 6, undefined],
    ['010.0.0.5       STREAM inner.example\n', 4, undefined],
    ['10.0.0.5\n', 4, undefined],
    [' 10.0.0.5 STREAM\n', 4, undefined],
    ['nonsense\n10.0.0.5 STREAM x\n', 4, undefined],
    ['', 4, undefined],
  ]
  for (const [text, family, address] of cases)
    it(`${JSON.stringify(text.slice(0, 30))} is ${address ?? 'no address'} for IPv${family}`, () =>
      assert.equal(parseAnswer(text, family), address))
})

function whyNot(way: string): string | false {
  if (findGetent() === undefined) return 'there is no getent here'
  return way === 'a helper' && process.getuid?.() !== 0 && 'only root can start it as another user'
}

for (const way of ['a child', 'a helper'] as const)
  describe(`the system’s resolver, as ${way}`, { skip: whyNot(way) }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-helper-'))
    const path = join(folder, 'socket')
    const service = way === 'a helper' ? helperService(path) : undefined
    after(() => {
      service?.close()
      rmSync(folder, { recursive: true })
    })
    const ask = service === undefined ? systemResolver(lookupAccounts(own), currentSituation()) : resolverBySocket(path)
    const signal = new AbortController().signal

    it('knows localhost', async () =>
      assert.match(String(await ask({ name: 'localhost', family: 4 }, signal)), /^127\./))
    it('says why it knows nothing', async () => {
      const answer = await ask({ name: 'nowhere.invalid', family: 4 }, signal)
      assert.ok(typeof answer === 'object')
      assert.match(answer.why, /gave no IPv4 address for it|did not answer in 3000 ms/)
    })
    it('does not begin where it was ended before', async () => {
      const answer = await ask({ name: 'localhost', family: 4 }, AbortSignal.abort())
      assert.deepEqual(answer, { why: 'the look-up was ended before it began' })
    })
  })
