/**
 * Runs docs/USERS.md as it is written: each `#` line on a server, each `$` line on a client, and compares the output
 * that the page shows. Only the place of the files differs, and the test takes the part of systemd.
 *
 *   client 192.0.2.77 ── 192.0.2.10 server
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault, ghostportCommand, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const SERVER = '192.0.2.10'
const page = readFileSync(new URL('../../docs/USERS.md', import.meta.url), 'utf8')
/** A part of the page by its heading. */
const section = (heading: string): string => {
  const found = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert.ok(found !== undefined, heading)
  return found
}

interface Step {
  readonly on: '#' | '$'
  readonly command: string
  /** `…` stands for anything. */
  readonly shows: readonly string[]
}

function stepsOf(text: string): readonly Step[] {
  return [...text.matchAll(/^```\n([#$] [\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block
      .trimEnd()
      .split(/\n(?=[#$] (?!For the ))/)
      .map((step): Step => {
        const [first = '', ...shows] = step.split('\n')
        return { on: first.startsWith('#') ? '#' : '$', command: first.slice(2), shows }
      }),
  )
}

function pattern(shows: readonly string[]): RegExp {
  const escaped = shows.join('\n').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('…', '[\\s\\S]*')}$`)
}

describe('docs/USERS.md', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let bin: string
  let home: string
  const users = (name: string): string => daemon.path(`users/${name}`)

  before(async () => {
    net = await Network.create()
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['192.0.2.77/24'], server, [`${SERVER}/24`])
    dropByDefault(server)
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    daemon = await Daemon.start(net, server, { access: stanza(['NAME admin']) })
    home = net.directory()
    bin = join(net.directory(), 'bin')
    mkdirSync(bin)
    script('ghostport', [
      `run() { exec ${ghostportCommand().join(' ')} "$@"; }`,
      'case "$1" in',
      `  serve) run "$@" -c ${daemon.path('fwknopd.conf')} -a ${daemon.path('access.conf')} ;;`,
      `  user) run "$@" -c ${daemon.path('fwknopd.conf')} -a ${daemon.path('access.conf')} ;;`,
      `  status) run "$@" --socket ${daemon.path('state/control.sock')} ;;`,
      '  *) run "$@" ;;',
      'esac',
    ])
    script('journalctl', [`cat ${daemon.path('log')}`])
  })
  after(() => net?.close())

  function script(name: string, lines: readonly string[]): void {
    writeFileSync(join(bin, name), ['#!/bin/bash', ...lines, ''].join('\n'))
    chmodSync(join(bin, name), 0o755)
  }

  function shell(host: Host, command: string): { status: number | null; output: string } {
    writeFileSync(daemon.path('log'), daemon.program.output)
    const ran = host.run(
      ['bash', '-c', `cd ${home}; { ${command}; } 2>&1`.replaceAll('/etc/fwknop', daemon.directory)],
      {
        env: { PATH: `${bin}:${process.env['PATH']}`, HOME: home, NO_COLOR: '1' },
      },
    )
    return { status: ran.status, output: ran.stdout.replaceAll(daemon.directory, '/etc/fwknop') }
  }

  /** As the unit does: the configuration is checked before it is used. */
  async function reload(): Promise<{ status: number | null; output: string }> {
    const checked = shell(server, 'ghostport serve --exit-parse-config')
    if (checked.status !== 0) return checked
    const from = daemon.events.length
    daemon.reload()
    await daemon.until(({ event }) => event === 'reload', from)
    return { status: 0, output: '' }
  }

  async function run(command: string, on: Step['on']): Promise<{ status: number | null; output: string }> {
    if (on === '$') return shell(client, command)
    const [, verb] = /^systemctl (\w+) ghostport$/.exec(command) ?? []
    if (verb === undefined) return shell(server, command)
    if (verb === 'reload') return await reload()
    await (verb === 'stop' ? daemon.stop() : daemon.again())
    return { status: 0, output: '' }
  }

  async function follow(text: string): Promise<void> {
    for (const { on, command, shows } of stepsOf(text)) {
      const { status, output } = await run(command, on)
      const mayFail = shows.at(-1) === '…' || shows.at(-1)?.endsWith(']')
      assert.ok(status === 0 || mayFail, `${command}\n${output}`)
      assert.match(output.trimEnd(), pattern(shows), command)
      const [, made] = /--pair --name (\S+)/.exec(command) ?? []
      if (made !== undefined) halves.set(made, output.slice(output.indexOf('\n') + 1))
    }
  }

  const knock = (...argv: readonly string[]) =>
    daemon.verdictAfter(() => client.must([join(bin, 'ghostport'), 'knock', SERVER, ...argv], { env: { HOME: home } }))
  const names = () => daemon.status().grants.map(({ name }) => name)

  /** The client's half of a user by hand, as the command that made it showed it. */
  const halves = new Map<string, string>()
  function writeSettings(user: string): void {
    const half = halves.get(user)
    assert.ok(half !== undefined, user)
    writeFileSync(join(home, '.fwknoprc'), half, { mode: 0o600 })
  }
  const access = (): string => readFileSync(daemon.path('access.conf'), 'utf8')
  const write = (text: string): void => writeFileSync(daemon.path('access.conf'), text, { mode: 0o600 })

  it('adding a user', async () => {
    await follow(section('Adding a user'))
    await daemon.until(({ name }) => name === 'ada-phone')
  })

  it('what the log shows: whose keys, and what the packet claims', async () => {
    await follow(section('What the log shows'))
    const { name, user } = await knock('-U', 'grace')
    assert.deepEqual([name, user], ['ada-phone', 'grace'])
    const before = access()
    write(`${before}REQUIRE_USERNAME ada\n`)
    await reload()
    const denied = await knock('-U', 'grace')
    assert.deepEqual([denied.code, denied['name']], ['ACCESS_USERNAME_DENIED', 'ada-phone'])
    assert.equal((await knock('-U', 'ada')).verdict, 'granted')
    write(before)
    await reload()
  })

  it('a shared key: the first stanza that allows a request grants it, and is the one that is named', async () => {
    const before = access()
    const own = before.slice(before.lastIndexOf('\nSOURCE'))
    write(`${before}${own.replace('ada-phone', 'web').replace('tcp/22', 'tcp/80')}`)
    await reload()
    assert.equal((await knock())['name'], 'ada-phone')
    assert.equal((await knock('-A', 'tcp/80'))['name'], 'web')
    write(before)
    await reload()
    const { code, name } = await knock('-A', 'tcp/80')
    assert.deepEqual([code, name], ['ACCESS_PORT_DENIED', 'ada-phone'])
  })

  it('new keys: the old ones are good during the overlap', async () => {
    const old = readFileSync(join(home, '.fwknoprc'), 'utf8')
    await follow(section('New keys for a user'))
    assert.equal((await knock())['name'], 'ada-phone')
    const fresh = readFileSync(join(home, '.fwknoprc'), 'utf8')
    writeFileSync(join(home, '.fwknoprc'), old, { mode: 0o600 })
    assert.match(String((await knock())['name']), /^ada-phone\.old-\d{8}$/)
    writeFileSync(join(home, '.fwknoprc'), fresh, { mode: 0o600 })
    await knock()
  })

  it('removing a user: nothing new, and what is open ends at once', async () => {
    const session = await client.connect(SERVER, 22)
    await follow(section('Removing a user'))
    assert.deepEqual(
      names().filter((name) => name?.startsWith('ada-phone') === true),
      [],
    )
    const { event, code, name } = await knock()
    assert.deepEqual([event, code, name], ['refused', 'SPA_HMAC_MISMATCH', undefined])
    assert.notEqual(await session.echoes(), true)
  })

  it('users by hand: what is live stays to its end, and all of it can be ended', async () => {
    const text = section('Users by hand')
    const removal = text.indexOf('```\n# rm ')
    const flush = text.indexOf('```\n# systemctl stop')
    await follow(text.slice(0, removal))
    writeSettings('bob-laptop')
    assert.equal((await knock())['name'], 'bob-laptop')
    const session = await client.connect(SERVER, 22)
    await follow(text.slice(removal, flush))
    assert.ok(names().includes('bob-laptop'), 'status shows it meanwhile')
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
    const { event, code, name } = await knock()
    assert.deepEqual([event, code, name], ['refused', 'SPA_HMAC_MISMATCH', undefined])

    await follow(text.slice(flush))
    assert.deepEqual(names(), [])
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    assert.equal(await session.echoes(), true, 'a session lives on')
    assert.match(shell(server, "ss -tnp 'sport = :22'").output, /192\.0\.2\.77/)
  })

  it('a reload that is refused, and a name that changes', async () => {
    const made = shell(server, `ghostport keygen --pair --name carol --server ${SERVER} -K ${users('carol.conf')}`)
    halves.set('carol', made.output.slice(made.output.indexOf('\n') + 1))
    await reload()
    await follow(section('When a reload is refused'))
    writeSettings('carol')
    assert.equal((await knock())['name'], 'carol')
    const own = readFileSync(users('carol.conf'), 'utf8')
    writeFileSync(users('carol.conf'), own.replace('carol', 'ada'))
    await reload()
    assert.deepEqual(names(), ['carol'])
    assert.equal((await knock())['name'], 'ada')
    assert.deepEqual(names(), ['ada'], 'asked for again, it is the same grant under the new name')
  })
})
