import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { currentSituation } from '../system/privilege.ts'
import { seconds } from '../units.ts'
import { findLogin, readAccountFiles } from './accounts.ts'
import { type Order, runProgram } from './run-program.ts'

const { setpriv } = currentSituation()
const isRoot = process.getuid?.() === 0

function run(script: string, more: Partial<Order> = {}) {
  return runProgram({ words: ['/bin/sh', '-c', script], facts: {}, timeout: seconds(10), setpriv, ...more }).ended
}

describe('a program', () => {
  it('has its exit status and its output told', async () => {
    const ended = await run('echo out; echo err >&2; echo again >/dev/stderr; exit 3')
    assert.equal(ended.how, 'exit')
    assert.equal(ended.status, 3)
    assert.equal(ended.output, 'out\nerr\nagain\n')
  })

  it('gets its words as they are', async () => {
    const words = ['/usr/bin/printf', '[%s]', '$HOME', '`id`', 'a b', '; reboot', '*'] as const
    const { output } = await runProgram({ words, facts: {}, timeout: seconds(5), setpriv }).ended
    assert.equal(output, '[$HOME][`id`][a b][; reboot][*]')
  })

  it('gets nothing of this process: environment, descriptors, folder, session', async () => {
    process.env['GHOSTPORT_SECRET'] = 'a secret'
    const script = 'env; pwd; ls /proc/self/fd | tr "\\n" " "; ps -o sid= -p $$; echo $$; umask'
    const { output } = await run(script, { facts: { GHOSTPORT_SRC: '10.0.0.1' } })
    delete process.env['GHOSTPORT_SECRET']
    assert.doesNotMatch(output, /SECRET|NODE/)
    assert.match(output, /^GHOSTPORT_SRC=10\.0\.0\.1$/m)
    assert.match(output, /^\/$/m)
    assert.match(output, /^0 1 2 3 +(\d+)\n\1$/m)
  })

  it('that is not there is told apart from one that fails', async () => {
    for (const file of ['no-such-program', '/no/such/program', '/etc/passwd', '/etc']) {
      const ended = await runProgram({ words: [file], facts: {}, timeout: seconds(5), setpriv }).ended
      assert.equal(ended.how, 'not started', file)
      assert.match(ended.why ?? '', /no such/)
    }
  })

  it('that hangs is ended with all that it started, also in other sessions', async () => {
    const file = `/tmp/ghostport-tree-${process.pid}`
    const script = `trap "" TERM; setsid sh -c 'trap "" TERM; echo $$ >>${file}; sleep 60' & sleep 60 & echo $! >>${file}; sleep 60`
    const ended = await run(script, { timeout: seconds(1) })
    assert.equal(ended.how, 'timeout')
    const pids = readFileSync(file, 'utf8').trim().split('\n').map(Number)
    rmSync(file)
    assert.equal(pids.length, 2)
    for (const pid of pids) await gone(pid)
  })

  it('that leaves another in the background ends when it ends itself', async () => {
    const ended = await run('sleep 3 & echo done')
    assert.equal(ended.how, 'exit')
    assert.equal(ended.output, 'done\n')
    assert(ended.took < 2000)
  })

  it('that writes without end is read, and little of it is kept', async () => {
    const ended = await run('head -c 300000000 /dev/zero')
    assert.equal(ended.how, 'exit')
    assert.equal(ended.outputBytes, 300_000_000)
    assert(ended.output.length <= 4096)
  })

  it('runs as another user, with the groups of that user and of no other', { skip: !isRoot }, async () => {
    const files = readAccountFiles()
    assert(files.ok)
    const login = findLogin({ user: 'nobody' as never, group: 'daemon' as never }, files.value)
    assert(login.ok)
    for (const helper of [setpriv, undefined]) {
      const { output } = await run('id; grep -E "^Cap(Prm|Eff)" /proc/self/status; echo $HOME $USER', {
        login: login.value,
        setpriv: helper,
      })
      assert.match(output, /uid=\d+\(nobody\) gid=1\(daemon\)/)
      assert.doesNotMatch(output, /groups=[^\n]*\(root\)/)
      assert.match(output, /CapEff:\t0000000000000000/)
      assert.match(output, /nobody$/m)
    }
  })
})

async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 300; i++) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await delay(20)
  }
  assert.fail(`process ${pid} still runs`)
}
