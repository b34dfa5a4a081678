import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'

/** Tried from inside, and by a program that it starts. What each attempt says. */
const ATTEMPTS = `
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync, readdirSync, mkdtempSync } from 'node:fs'
import net from 'node:net'
import dgram from 'node:dgram'
const { confineGnupg, limitGnupg } = await import(process.argv[2])
const [home, outside] = process.argv.slice(3)
const { libc } = await import(new URL('../../system/libc.ts', process.argv[2]).href)
const native = libc()
process.setgroups([]); process.setgid(60951); process.setuid(60951)
const tried = {}
const attempt = (name, work) => { try { work(); tried[name] = 'done' } catch (error) { tried[name] = error.code ?? error.message } }
const program = (name, file, args, input = '') => {
  const ended = spawnSync(file, args, { input, encoding: 'utf8', timeout: 10000, env: { PATH: '/usr/bin:/bin' } })
  tried[name] = ended.error?.code ?? (ended.status === 0 ? 'done' : 'refused')
}
tried.limited = limitGnupg().ok
const confined = confineGnupg(home, ['/usr/bin/gpg'])
tried.confined = confined.ok || confined.failure.detail
attempt('read own', () => readFileSync(home + '/file'))
attempt('write own', () => writeFileSync(home + '/made', 'x'))
attempt('read /etc/passwd', () => readFileSync('/etc/passwd'))
attempt('read outside', () => readFileSync(outside + '/file'))
attempt('write outside', () => writeFileSync(outside + '/made', 'x'))
attempt('list /proc', () => readdirSync('/proc'))
attempt('io_uring', () => { if (native.syscall(425, 8, 0, null) < 0) throw { code: native.errno() } })
attempt('ptrace', () => { if (native.syscall(process.arch === 'x64' ? 101 : 117, 0, 0, null) < 0) throw { code: native.errno() } })
program('run a program', '/usr/bin/true', [])
program('run gpg', '/usr/bin/gpg', ['--homedir', home, '--version'])
program('setsid', '/usr/bin/setsid', ['/usr/bin/true'])
program('cat /etc/passwd', '/usr/bin/cat', ['/etc/passwd'])
program('unshare', '/usr/bin/unshare', ['-U', '/usr/bin/true'])
program('tcp by bash', '/usr/bin/bash', ['-c', 'exec 3<>/dev/tcp/127.0.0.1/9'])
await new Promise((done) => { const s = net.connect(9, '127.0.0.1'); s.on('error', (e) => { tried.tcp = e.code; done() }); s.on('connect', () => { tried.tcp = 'done'; done() }) })
await new Promise((done) => { try { const s = dgram.createSocket('udp4'); s.on('error', (e) => { tried.udp = e.code; done() }); s.send('x', 9, '127.0.0.1', (e) => { tried.udp = e?.code ?? 'done'; done() }) } catch (e) { tried.udp = e.code; done() } })
await new Promise((done) => { const s = net.createServer().listen(home + '/socket', () => { tried.unix = 'done'; s.close(); done() }); s.on('error', (e) => { tried.unix = e.code; done() }) })
process.stdout.write(JSON.stringify(tried))
`

const skip = process.getuid?.() === 0 && process.platform === 'linux' ? false : 'needs root on Linux'
describe('what is left to the GnuPG process, tried from inside', { skip }, () => {
  let tried: Record<string, unknown> = {}
  before(() => {
    const folder = mkdtempSync(join(tmpdir(), 'confined-'))
    try {
      chmodSync(folder, 0o777)
      for (const name of ['home', 'outside']) {
        mkdirSync(join(folder, name))
        chmodSync(join(folder, name), 0o777)
        writeFileSync(join(folder, name, 'file'), 'text')
      }
      const script = join(folder, 'try.mjs')
      writeFileSync(script, ATTEMPTS)
      const module = new URL('confine.ts', import.meta.url).href
      const words = ['--conditions=ghostport-source', script, module, join(folder, 'home'), join(folder, 'outside')]
      // As the warden starts it: without a ring of io_uring, which libuv makes before any code of ours runs.
      const launcher = `const { forbidIoUring } = await import(${JSON.stringify(new URL('../../system/seccomp.ts', import.meta.url).href)})
        if (!forbidIoUring().ok) process.exit(3)
        const { spawnSync } = await import('node:child_process')
        const ended = spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit' })
        process.exit(ended.status ?? 4)`
      const launched = ['--conditions=ghostport-source', '--input-type=module', '-e', launcher, '--', ...words]
      const ended = spawnSync(process.execPath, launched, { encoding: 'utf8', timeout: 60_000 })
      assert.equal(ended.status, 0, ended.stderr)
      tried = JSON.parse(ended.stdout)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  const expected: [what: string, outcome: unknown][] = [
    ['limited', true],
    ['confined', true],
    ['read own', 'done'],
    ['write own', 'done'],
    ['unix', 'done'],
    ['run a program', 'done'],
    ['run gpg', 'done'],
    ['read /etc/passwd', 'EACCES'],
    ['read outside', 'EACCES'],
    ['write outside', 'EACCES'],
    ['list /proc', 'EACCES'],
    ['io_uring', constants.errno.EPERM],
    ['ptrace', constants.errno.EPERM],
    ['setsid', 'refused'],
    ['cat /etc/passwd', 'refused'],
    ['unshare', 'refused'],
    ['tcp by bash', 'refused'],
    ['tcp', 'EAFNOSUPPORT'],
    ['udp', 'EAFNOSUPPORT'],
  ]
  for (const [what, outcome] of expected) it(`${what}: ${outcome}`, () => assert.equal(tried[what], outcome))
})
