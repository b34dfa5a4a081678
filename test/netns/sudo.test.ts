/**
 * ENABLE_CMD_SUDO_EXEC with the real sudo. The server has a mount namespace of its own, with its own /etc/sudoers: the
 * one of this machine stays as it is.
 *
 *   client 10.9.0.1 ── server 10.9.0.2
 */
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientAndServer, Daemon, type LogEvent, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

/** With a terminal of sudo’s own (use_pty), which is Debian’s default, a command is in a session of its own. */
const SUDOERS = `
Defaults secure_path="/usr/sbin:/usr/bin:/sbin:/bin"
Defaults use_pty
Defaults!/usr/bin/printenv env_keep += "GHOSTPORT_SRC"
Defaults:daemon requiretty
root ALL=(ALL:ALL) NOPASSWD: ALL
nobody ALL=(www-data) NOPASSWD: /usr/bin/id, /usr/bin/printenv, /usr/bin/sleep 61
nobody ALL=(games) ALL
daemon ALL=(www-data) NOPASSWD: ALL
`

/** Of stanza n; each has keys of its own. */
const keysOf = (n: number) => ({ key: `encryption ${n}`, hmac: `authentication ${n}` })
const through = (...lines: readonly string[]) => ['ENABLE_CMD_EXEC Y', 'ENABLE_CMD_SUDO_EXEC Y', ...lines]

const stanzas = {
  bare: through(),
  both: through('CMD_SUDO_EXEC_USER www-data', 'CMD_SUDO_EXEC_GROUP daemon'),
  group: through('CMD_SUDO_EXEC_GROUP daemon'),
  ruled: through('CMD_EXEC_USER nobody', 'CMD_SUDO_EXEC_USER www-data'),
  asked: through('CMD_EXEC_USER nobody', 'CMD_SUDO_EXEC_USER games'),
  terminal: through('CMD_EXEC_USER daemon', 'CMD_SUDO_EXEC_USER www-data'),
} as const
type Name = keyof typeof stanzas
const names = Object.keys(stanzas) as Name[]

describe('commands through the real sudo', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let daemon: Daemon
  const machine = readFileSync('/etc/sudoers', 'utf8')

  before(async () => {
    net = await Network.create()
    let server: Host
    ;[client, server] = await clientAndServer(net)
    const sudoers = `${net.directory()}/sudoers`
    writeFileSync(sudoers, SUDOERS, { mode: 0o440 })
    const own = 'mount --bind "$1" /etc/sudoers && shift && exec "$@"'
    daemon = await Daemon.start(net, server, {
      inside: ['unshare', '--mount', 'sh', '-c', own, 'own-sudoers', sudoers],
      server: ['CMD_EXEC_TIMEOUT 2'],
      access: names.map((name, n) => stanza([`NAME ${name}`, ...stanzas[name]], keysOf(n))).join('\n'),
    })
  })
  after(() => net?.close())

  async function sent(name: Name, text: string): Promise<LogEvent> {
    const { key, hmac } = keysOf(names.indexOf(name))
    const verdict = await daemon.verdictAfter(() => {
      // The real client: ours refuses a command that begins like an option.
      const secrets = ['--key-rijndael', key, '--key-hmac', hmac, '--use-hmac']
      const files = ['--no-rc-file', '--no-home-dir', '--no-save-args']
      client.must(['fwknop', ...files, '-E', 'none', '-D', SERVER, '-s', ...secrets, '-C', text])
    })
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    return verdict
  }
  const endOf = ({ job }: LogEvent): Promise<LogEvent> =>
    daemon.until((event) => event.event === 'command' && event['job'] === job)
  const run = async (name: Name, text: string): Promise<LogEvent> => endOf(await sent(name, text))

  it('asks the sudoers of the server, and leaves those of the machine as they are', () => {
    assert.equal(readFileSync('/etc/sudoers', 'utf8'), machine)
    assert.equal(readFileSync(`/proc/${daemon.pid}/root/etc/sudoers`, 'utf8'), SUDOERS)
    assert.notEqual(statSync('/usr/bin/sudo').mode & 0o4000, 0)
  })

  for (const [name, text, output] of [
    ['bare', 'id -un', /^root$/],
    ['both', 'id', /^uid=\d+\(www-data\) gid=\d+\(daemon\) /],
    ['group', 'id', /^uid=0\(root\) gid=\d+\(daemon\) /],
    ['ruled', 'id', /^uid=\d+\(www-data\) gid=\d+\(www-data\) /],
    ['ruled', 'printenv GHOSTPORT_SRC', /^10\.9\.0\.1$/],
  ] as const)
    it(`${name}: “${text}” runs as ${output}`, async () => {
      const ended = await run(name, text)
      assert.match(String(ended['output']).replace(/\\r?\\n$/, ''), output)
      assert.deepEqual([ended['end'], ended['status'], ended.level], ['exit', 0, 'info'])
    })

  for (const [why, name, text, output] of [
    ['a command that sudoers does not name', 'ruled', 'cat /etc/shadow', /password is required|not allowed/],
    ['arguments that sudoers does not name', 'ruled', 'sleep 62', /password is required|not allowed/],
    ['a password that nobody can type', 'asked', 'id', /a password is required/],
    ['a terminal that is not there', 'terminal', 'id', /must have a tty/],
    ['a value that env_keep does not name', 'ruled', 'printenv GHOSTPORT_PKT_SRC', /^$/],
    ['words that look like options of sudo', 'ruled', '-u root id', /password is required|not allowed|not found/],
    ['the same of root', 'both', '-u root id', /-u: command not found/],
    ['an assignment before the command', 'ruled', 'LD_PRELOAD=/tmp/x.so id', /not allowed|password is required/],
  ] as const)
    it(`does not run, and does not wait: ${why}`, async () => {
      const ended = await run(name, text)
      assert.match(String(ended['output'] ?? ''), output)
      assert.deepEqual([ended['end'], ended['status'], ended.level], ['exit', 1, 'warning'])
      assert.ok(Number(ended['tookMs']) < 1_900, `${ended['tookMs']} ms`)
    })

  for (const [name, text] of [
    ['bare', 'sleep 61'],
    ['ruled', '/usr/bin/sleep 61'],
  ] as const)
    it(`${name}: what takes too long is ended, though sudo runs it in a session of its own`, async () => {
      const verdict = await sent(name, text)
      await until(() => sleepers().length === 1)
      const ended = await endOf(verdict)
      assert.deepEqual([ended['end'], ended.level], ['timeout', 'warning'])
      await until(() => sleepers().length === 0)
    })

  it('a stop ends what runs', async () => {
    await sent('ruled', 'sleep 61')
    await until(() => sleepers().length === 1)
    await daemon.stop()
    assert.deepEqual(sleepers(), [])
  })

  for (const name of ['bare', 'ruled'] as const)
    it(`${name}: what runs ends when the server is killed`, async () => {
      await daemon.again()
      await sent(name, '/usr/bin/sleep 61')
      await until(() => sleepers().length === 1)
      await daemon.stop('SIGKILL')
      await until(() => sleepers().length === 0)
    })

  /** Processes of this server: others of this machine may sleep too. */
  function sleepers(): readonly string[] {
    return client
      .run(['pgrep', '-f', '^(/usr/bin/)?sleep 61$'])
      .stdout.split('\n')
      .filter((pid) => pid !== '' && sudoersOf(pid) === SUDOERS)
  }
})

function sudoersOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/root/etc/sudoers`, 'utf8')
  } catch {
    return ''
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !holds(); i++) await delay(50)
  assert.ok(holds(), `not within 5 s: ${holds}`)
}
