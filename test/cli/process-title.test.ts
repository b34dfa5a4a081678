/** What other users of the host can see of a running command: `ps` shows its name, and no key. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fwknopCommand, ghostportCommand } from './ghostport.ts'

const skip = existsSync('/proc/self/cmdline') ? false : 'there is no /proc here'
const SECRETS = ['secret-cipher-key', 'secret-hmac-key']
const KEYS = ['--key-rijndael', SECRETS[0] ?? '', '--key-hmac', SECRETS[1] ?? '']

/** Accepts and sends nothing: a client that waits for a banner keeps waiting. */
let silent: Server
let port: number
before(async () => {
  silent = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  port = (silent.address() as { port: number }).port
})
after(() => silent?.close())

const wait = ['--no-rc-file', '-s', ...KEYS, '--wait-for', 'banner', '--wait-limit', '20']
const commands: [name: string, argv: () => readonly string[]][] = [
  ['knock', () => ['-D', '127.0.0.1', '-A', `tcp/${port}`, ...wait, '--wait']],
  ['ssh', () => ['-A', `tcp/${port}`, ...wait, '127.0.0.1']],
  ['proxy', () => [...wait, '127.0.0.1', `${port}`]],
  ['exec', () => ['-D', '127.0.0.1', '-A', `tcp/${port}`, ...wait, '--', 'true']],
]
const programs = [
  ...commands.map(([name, argv]) => ({
    name: `ghostport ${name}`,
    command: () => [...ghostportCommand, name, ...argv()],
  })),
  {
    name: 'fwknop',
    // It waits for a key at its standard input.
    command: () => [
      ...fwknopCommand,
      '--no-rc-file',
      '-T',
      '-s',
      '-A',
      'tcp/1',
      ...KEYS.slice(0, 2),
      '--use-hmac',
      '--stdin',
    ],
  },
]
for (const { name, command } of programs)
  test(`${name}: ps shows its name and neither key`, { skip }, async () => {
    const [node = '', ...words] = command()
    const child = spawn(node, words, { stdio: ['pipe', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (chunk) => (said += chunk))
    try {
      const shown = (): string => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').replace(/\0+/g, ' ').trim()
      const deadline = performance.now() + 15_000
      while (shown() !== name) {
        assert.ok(performance.now() < deadline && child.exitCode === null, `${shown()}\n${said}`)
        await delay(5)
      }
      const threads = readdirSync(`/proc/${child.pid}/task`)
      for (const thread of threads)
        for (const file of ['cmdline', 'comm'])
          for (const secret of SECRETS)
            assert.ok(!readFileSync(`/proc/${child.pid}/task/${thread}/${file}`, 'utf8').includes(secret))
    } finally {
      child.kill('SIGKILL')
    }
  })
