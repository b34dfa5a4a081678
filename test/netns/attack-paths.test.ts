/**
 * Another user of the host plants links, files, pipes and folders where root's server reads and writes. The server
 * refuses to start, names the folder or link and the cure, and touches no target of the links.
 */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { failureKinds } from '../../src/failure-codes.ts'
import { judgeServerFile, prepareServerFile, replaceServerFile } from '../../src/system/server-file.ts'
import { Daemon, dropByDefault, ghostportCommand, stanza } from '../support/daemon.ts'
import { some } from '../support/in-full.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const MALLORY = 12_345
const SECRET = '4711\n'

/** Runs as the other user, without any right of root's. */
function asMallory(script: string, at: string): void {
  const { status, stderr } = spawnSync('setpriv', [...PRIVILEGE, 'sh', '-ec', script], { cwd: at, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}
const PRIVILEGE = [`--reuid=${MALLORY}`, `--regid=${MALLORY}`, '--clear-groups', '--inh-caps=-all', '--']

describe('another user’s links and folders', { skip: netnsUnavailable() }, () => {
  let net: Network
  let server: Host

  before(async () => {
    net = await Network.create()
    server = await net.host('server')
    dropByDefault(server)
  })
  after(() => net?.close())

  interface Ground {
    /** Like /tmp: owned by root, sticky, writable by all. */
    readonly shared: string
    /** Owned by root, with a file that no other user may touch. */
    readonly precious: string
    readonly victim: string
    /** Owned by root, and closed. Holds the configuration. */
    readonly own: string
  }

  function ground(): Ground {
    const top = net.directory()
    chmodSync(top, 0o755)
    const [shared, precious, own] = [join(top, 'shared'), join(top, 'precious'), join(top, 'own')]
    for (const folder of [shared, precious, own]) mkdirSync(folder, { mode: 0o755 })
    chmodSync(shared, 0o1777)
    chmodSync(own, 0o700)
    const victim = join(precious, 'victim')
    // Looks like a process id file, so that no other check protects it.
    writeFileSync(victim, SECRET, { mode: 0o600 })
    return { shared, precious, victim, own }
  }

  /** A start, and the check that reports what a start would. */
  function starts(
    { own }: Ground,
    settings: readonly string[],
    access = stanza(),
    code: 'CONFIG_EXPOSED' | 'CONFIG_MISSING_KEY' = 'CONFIG_EXPOSED',
  ): { check: string; start: string } {
    const named = (name: string): boolean => settings.some((line) => line.startsWith(name))
    const lines = [
      ...(named('REPLAY_DB') ? [] : [`REPLAY_DB ${own}/state/replay.db`]),
      ...(named('CONTROL_SOCKET') ? [] : [`CONTROL_SOCKET ${own}/state/control.sock`]),
      ...settings,
    ]
    mkdirSync(join(own, 'state'), { mode: 0o700, recursive: true })
    writeFileSync(join(own, 'fwknopd.conf'), lines.map((line) => `${line};\n`).join(''), { mode: 0o600 })
    writeFileSync(join(own, 'access.conf'), access, { mode: 0o600 })
    const serve = ['serve', '-c', join(own, 'fwknopd.conf'), '-a', join(own, 'access.conf')]
    const refused = (...more: readonly string[]): string => {
      const { status, stdout, stderr } = server.run(ghostportCommand(...serve, ...more), { timeoutMs: 20_000 })
      assert.equal(status, failureKinds[code].exit, `${status} ${stdout}${stderr}`)
      assert.ok(stderr.includes(`[${code}]`), stderr)
      assert.match(stderr, /— perhaps: /)
      return stderr
    }
    return { check: refused('--exit-parse-config'), start: refused() }
  }

  /** What a start must have left alone here. */
  function untouched({ precious, victim }: Ground): void {
    assert.equal(readFileSync(victim, 'utf8'), SECRET)
    assert.equal(statSync(victim).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(precious), ['victim'])
  }

  const settings = [
    ['FWKNOP_PID_FILE', 'server.pid'],
    ['REPLAY_DB', 'replay.db'],
    ['CONTROL_SOCKET', 'control.sock'],
    ['DIGEST_FILE', 'digest.cache'],
  ] as const
  /** How the path is attacked: what the other user does, and what the message must name. */
  const plants: readonly (readonly [
    what: string,
    plant: (at: Ground, name: string) => string,
    says: (path: string, at: Ground) => RegExp,
  ])[] = [
    [
      'in a folder of their own',
      ({ shared }, name) => {
        asMallory('mkdir m', shared)
        return join(shared, 'm', name)
      },
      (_, { shared }) => new RegExp(`the folder ${shared}/m belongs to user ${MALLORY}`),
    ],
    [
      'below a folder of their own, in one of root’s',
      ({ shared }, name) => {
        asMallory('mkdir m', shared)
        mkdirSync(join(shared, 'm/root'), { mode: 0o700 })
        return join(shared, 'm/root', name)
      },
      (_, { shared }) => new RegExp(`the folder ${shared}/m belongs to user ${MALLORY}`),
    ],
    [
      'behind a link of theirs to a folder of root’s',
      ({ shared, precious }, name) => {
        asMallory(`ln -s ${precious} way`, shared)
        return join(shared, 'way', name)
      },
      (_, { shared }) => new RegExp(`the link ${shared}/way belongs to user ${MALLORY}`),
    ],
    [
      'where a link of theirs leads to a file of root’s',
      ({ shared, victim }, name) => {
        asMallory(`ln -s ${victim} ${name}`, shared)
        return join(shared, name)
      },
      (path) => new RegExp(`the link ${path} belongs to user ${MALLORY}`),
    ],
    [
      'where a link of theirs leads nowhere yet',
      ({ shared, precious }, name) => {
        asMallory(`ln -s ${precious}/new ${name}`, shared)
        return join(shared, name)
      },
      (path) => new RegExp(`the link ${path} belongs to user ${MALLORY}`),
    ],
    [
      'where a second name of theirs for a file of root’s is',
      ({ shared, victim }, name) => {
        // As their own link(2) would make it, with fs.protected_hardlinks off.
        linkSync(victim, join(shared, name))
        return join(shared, name)
      },
      (_, { shared }) => new RegExp(`others can make files in the folder ${shared} `),
    ],
    [
      'where a pipe of theirs waits',
      ({ shared }, name) => {
        asMallory(`mkfifo ${name}`, shared)
        return join(shared, name)
      },
      (path, { shared }) => new RegExp(`(in the folder ${shared} \\(mode 1777\\)|${path} belongs to user ${MALLORY})`),
    ],
    [
      'in a folder that all may write to, and that is not sticky',
      ({ shared }, name) => {
        chmodSync(shared, 0o777)
        return join(shared, name)
      },
      (_, { shared }) => new RegExp(`others can replace what is in the folder ${shared} \\(mode 0777\\)`),
    ],
  ]
  const pairs = settings.flatMap((setting) => plants.map((plant) => [...setting, ...plant] as const))
  // A number that has no divisor in common with that of the plants: each setting and each plant has its turn.
  for (const [setting, name, what, plant, says] of some(pairs, 3))
    it(`${setting} ${what}`, () => {
      const at = ground()
      const path = plant(at, name)
      const said = starts(at, [`${setting} ${path}`])
      for (const each of [said.check, said.start]) {
        // The hard link itself is only refused if its folder is accepted.
        if (setting === 'DIGEST_FILE' && /second name/.test(what))
          assert.match(each, /hard link .* to a file elsewhere/)
        else assert.match(each, says(path, at))
        assert.match(each, new RegExp(`fwknopd\\.conf:\\d+: .*${setting}: `))
      }
      untouched(at)
    })

  it('REPLAY_DB, whose log is a link of theirs', () => {
    const at = ground()
    const folder = join(at.own, 'db')
    mkdirSync(folder, { mode: 0o700 })
    chownSync(folder, MALLORY, MALLORY)
    chmodSync(at.own, 0o711)
    asMallory(`ln -s ${at.victim} replay.db-wal`, folder)
    chownSync(folder, 0, 0)
    const { start } = starts(at, [`REPLAY_DB ${folder}/replay.db`])
    assert.match(start, new RegExp(`the link ${folder}/replay\\.db-wal belongs to user ${MALLORY}`))
    untouched(at)
  })

  const includes: readonly (readonly [what: string, access: (folder: string) => string, says: RegExp])[] = [
    ['%include', (folder) => `%include ${folder}/one.conf\n`, /the folder .*\/m belongs to user 12345/],
    ['%include_folder', (folder) => `%include_folder ${folder}\n`, /the folder .*\/m belongs to user 12345/],
  ]
  for (const [what, access, says] of includes)
    it(`${what} of a folder that the other user could swap`, () => {
      const at = ground()
      asMallory('mkdir m', at.shared)
      const folder = join(at.shared, 'm/root')
      mkdirSync(folder, { mode: 0o700 })
      writeFileSync(join(folder, 'one.conf'), stanza(), { mode: 0o600 })
      assert.match(starts(at, [], `${stanza()}${access(folder)}`).start, says)
    })

  it('%include_folder that is still empty, and theirs', () => {
    const at = ground()
    asMallory('mkdir m', at.shared)
    assert.match(
      starts(at, [], `${stanza()}%include_folder ${at.shared}/m\n`).start,
      /the folder .*\/m belongs to user 12345/,
    )
  })

  it('keys that anybody could have put into a folder of everybody’s are nobody’s', () => {
    const at = ground()
    asMallory('(umask 077; echo KEY mallory > ada.keys)', at.shared)
    const access = `SOURCE ANY\n%include_keys ${at.shared}/ada.keys\n`
    const said = starts(at, [], access, 'CONFIG_MISSING_KEY')
    assert.match(said.start, /others can make files in the folder .*\/shared \(mode 1777\) — perhaps: move .*ada\.keys/)
  })

  it('keygen writes no keys where others could exchange them', () => {
    const at = ground()
    asMallory('mkdir m', at.shared)
    const file = join(at.shared, 'm/keys')
    const { status, stderr } = server.run(ghostportCommand('keygen', '-K', file))
    assert.equal(status, 77, stderr)
    assert.match(stderr, /the folder .*\/m belongs to user 12345.*\[CONFIG_EXPOSED\]/)
    assert.ok(!existsSync(file))
  })

  it('status believes no socket of theirs', async () => {
    const at = ground()
    const socket = join(at.shared, 'control.sock')
    const answers = `require("net").createServer((s)=>s.end('{"warden":1}\\n')).listen(${JSON.stringify(socket)})`
    const fake = spawn('setpriv', [...PRIVILEGE, process.execPath, '-e', answers], { stdio: 'ignore' })
    try {
      for (let tries = 0; !existsSync(socket) && tries < 500; tries++) await delay(20)
      const { status, stderr } = server.run(ghostportCommand('status', '--json', '--socket', socket))
      assert.notEqual(status, 0)
      assert.match(stderr, /others can make files in the folder|belongs to user 12345/)
    } finally {
      fake.kill('SIGKILL')
    }
  })

  it('the file of process ids is made anew in one step, and only our own is removed', async () => {
    const pid = join(net.directory(), 'server.pid')
    writeFileSync(pid, '999999\n', { mode: 0o600 })
    const before = statSync(pid).ino
    const daemon = await Daemon.start(net, server, { access: stanza(), server: [`FWKNOP_PID_FILE ${pid}`] })
    assert.equal(readFileSync(pid, 'utf8'), `${daemon.pid}\n`)
    assert.equal(statSync(pid).mode & 0o777, 0o644)
    assert.notEqual(statSync(pid).ino, before)
    await daemon.restart()
    assert.equal(readFileSync(pid, 'utf8'), `${daemon.pid}\n`)

    writeFileSync(`${pid}.other`, '999998\n')
    renameSync(`${pid}.other`, pid)
    await daemon.stop()
    assert.equal(readFileSync(pid, 'utf8'), '999998\n')

    await daemon.again()
    await daemon.stop()
    assert.ok(!existsSync(pid))
  })

  it('a user who swaps links and folders all the time wins no race', async () => {
    const at = ground()
    const swaps = `cd ${at.shared}; while :; do
      ln -s ${at.precious} gp 2>/dev/null && rm -f gp
      mkdir gp 2>/dev/null && { ln -s ${at.victim} gp/server.pid; rm -f gp/server.pid; rmdir gp; }
    done`
    const swapper = spawn('setpriv', [...PRIVILEGE, 'sh', '-c', swaps], { stdio: 'ignore' })
    const outcomes = { made: 0, refused: 0 }
    try {
      const path = join(at.shared, 'gp/server.pid')
      const until = performance.now() + 4_000
      for (let round = 0; performance.now() < until || outcomes.made === 0 || outcomes.refused === 0; round++) {
        assert.ok(round < 200_000, JSON.stringify(outcomes))
        if (attempt(path)) {
          outcomes.made++
          // It belongs to root now, and stays: the other user cannot rename it.
          assert.equal(statSync(path).uid, 0)
          assert.equal(judgeServerFile(path), undefined)
          rmSync(join(at.shared, 'gp'), { recursive: true })
        } else outcomes.refused++
        untouched(at)
        if (round % 50 === 0) await delay(1)
      }
    } finally {
      swapper.kill('SIGKILL')
    }
  })
})

/** As a start does with a file of its own. @returns whether it was made. */
function attempt(path: string): boolean {
  try {
    if (prepareServerFile(path) !== undefined) return false
    replaceServerFile(path, 'written\n', 0o644)
    return true
  } catch {
    return false // The folder came or went in between.
  }
}
