/**
 * `ghostport doctor` on real hosts: each finding is provoked, is told with the command that mends it, and is gone after
 * that command.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { clientAndServer, Daemon, dropByDefault, ghostportCommand, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

interface Told {
  readonly code: string
  readonly answer: 'good' | 'bad' | 'not checked'
  readonly seen: string | null
  readonly because: string | null
  readonly findings: readonly {
    readonly severity: string
    readonly text: string
    readonly evidence: readonly string[]
    readonly command: string | null
    readonly advice: string | null
    readonly recheck: string
  }[]
}

describe('ghostport doctor on a server', { skip: netnsUnavailable() }, () => {
  let net: Network
  let server: Host
  let daemon: Daemon

  before(async () => {
    net = await Network.create()
    server = (await clientAndServer(net))[1]
    daemon = await Daemon.start(net, server, { access: stanza(['OPEN_PORTS tcp/22']) })
  })
  after(() => net.close())

  const files = (): string[] => ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
  /** With all words of a real command line. */
  function examine(
    host: Host,
    ...words: string[]
  ): { readonly status: number | null; readonly checks: readonly Told[] } {
    const outcome = host.run(ghostportCommand('doctor', '--json', ...words), { timeoutMs: 60_000 })
    assert.ok(outcome.stdout.startsWith('{'), outcome.stderr)
    return { status: outcome.status, checks: JSON.parse(outcome.stdout).checks }
  }
  function ask(code: string, host = server): Told {
    const [told] = examine(host, ...files(), '--only', code).checks
    assert.ok(told)
    return told
  }
  /** The finding of a check, and the shell’s way to mend it. */
  function finding(code: string, text: RegExp, host = server): Told['findings'][number] {
    const told = ask(code, host)
    const found = told.findings.find((each) => text.test(each.text))
    assert.ok(found, JSON.stringify(told))
    return found
  }
  function mend({ command }: { readonly command: string | null }, host = server): void {
    assert.ok(command)
    host.must(['sh', '-c', command])
  }
  const isGood = (code: string, host = server): void => {
    const told = ask(code, host)
    assert.equal(told.answer, 'good', JSON.stringify(told))
  }

  it('all is well: no error, and what cannot be looked at here is not called good', () => {
    const { status, checks } = examine(server, ...files())
    const bad = checks.filter(({ findings }) => findings.some(({ severity }) => severity === 'error'))
    assert.deepEqual(bad, [])
    assert.equal(status, 0)
    const answers = Object.fromEntries(checks.map(({ code, answer }) => [code, answer]))
    for (const code of [
      'CONFIG',
      'PERMISSIONS',
      'KEYS',
      'RUNNING',
      'HOST_RULES',
      'TWO_MANAGERS',
      'LEGACY_TABLES',
      'NOTRACK',
      'DISK',
    ])
      assert.equal(answers[code], 'good', code)
    assert.equal(answers['PEER_CLOCK'], 'not checked')
  })

  it('HOST_RULES: the host drops what a knock opens', () => {
    server.must(['nft', 'flush', 'chain', 'inet', 'filter', 'input'])
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'meta l4proto { icmp, icmpv6 } accept'])
    const found = finding('HOST_RULES', /drops what ghostport opens/)
    assert.equal(found.severity, 'error')
    assert.equal(
      found.recheck,
      `ghostport doctor --config-file ${daemon.path('fwknopd.conf')} --access-file ${daemon.path('access.conf')} --only HOST_RULES`,
    )
    mend(found)
    isGood('HOST_RULES')
  })

  it('HOST_RULES: a port is open without a knock', () => {
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp dport 22 accept'])
    const { status, checks } = examine(server, ...files(), '--only', 'HOST_RULES')
    assert.equal(status, 1)
    assert.match(checks[0]?.findings[0]?.text ?? '', /tcp\/22 is open to everybody/)
    assert.match(checks[0]?.findings[0]?.advice ?? '', /./)
    server.must([
      'sh',
      '-c',
      'nft delete rule inet filter input handle $(nft -a list chain inet filter input | sed -n "s/.*dport 22 accept # handle //p")',
    ])
    isGood('HOST_RULES')
  })

  it('NOTRACK: connections are not tracked', () => {
    server.must(['nft', '-f', '-'], {
      input:
        'table inet untracked { chain pre { type filter hook prerouting priority raw;\ntcp dport 22 notrack\n}\n}\n',
    })
    const found = finding('NOTRACK', /keeps tcp\/22 from/)
    assert.ok(found.command ?? found.advice)
    server.must(['nft', 'delete', 'table', 'inet', 'untracked'])
    isGood('NOTRACK')
  })

  it('PERMISSIONS: others can read the keys', () => {
    chmodSync(daemon.path('access.conf'), 0o644)
    const found = finding('PERMISSIONS', /can be read by others/)
    assert.equal(ask('CONFIG').answer, 'not checked')
    mend(found)
    isGood('PERMISSIONS')
    isGood('CONFIG')
  })

  it('KEYS and CONFIG: the fault is told with its line, and only once', () => {
    const path = daemon.path('access.conf')
    const before = readFileSync(path, 'utf8')
    writeFileSync(path, before.replace(/^KEY .*$/m, 'KEY_BASE64 %%%'))
    assert.deepEqual(finding('KEYS', /KEY_BASE64/).evidence, [`${path}:2`])
    assert.equal(ask('CONFIG').answer, 'not checked')
    writeFileSync(path, before.replace('OPEN_PORTS', 'OPEN_PRTS'))
    const { advice } = finding('CONFIG', /OPEN_PRTS/)
    assert.equal(advice, `change line 4 of ${path}, perhaps to: OPEN_PORTS`)
    assert.equal(ask('KEYS').answer, 'not checked')
    writeFileSync(path, before)
    isGood('KEYS')
    isGood('CONFIG')
  })

  it('RUNNING: no server runs, or it receives nothing', async () => {
    await daemon.stop()
    const found = finding('RUNNING', /no server runs/)
    assert.equal(found.severity, 'error')
    assert.match(found.advice ?? '', /ghostport serve/)
    await daemon.again()
    isGood('RUNNING')
  })

  it('TWO_MANAGERS: hand-written rules of two kinds', () => {
    server.must(['iptables-nft', '-A', 'INPUT', '-p', 'tcp', '--dport', '81', '-j', 'DROP'])
    const found = finding('TWO_MANAGERS', /nft and iptables-nft write rules/)
    assert.equal(found.severity, 'warning')
    assert.equal(examine(server, '--only', 'TWO_MANAGERS').status, 0)
    assert.equal(examine(server, '--only', 'TWO_MANAGERS', '--strict').status, 1)
    server.must(['nft', 'delete', 'table', 'ip', 'filter'])
    isGood('TWO_MANAGERS')
  })

  it('LEGACY_TABLES: rules that nft does not list, and the command moves them without a gap', async () => {
    const host = await net.host('legacy')
    dropByDefault(host)
    host.must(['iptables-legacy', '-P', 'INPUT', 'DROP'])
    host.must(['iptables-legacy', '-A', 'INPUT', '-i', 'lo', '-j', 'ACCEPT'])
    const found = finding('LEGACY_TABLES', /some rules are in iptables-legacy/, host)
    assert.equal(found.severity, 'warning')
    mend(found, host)
    isGood('LEGACY_TABLES', host)
    assert.match(host.must(['iptables-nft-save', '-t', 'filter']), /:INPUT DROP[\s\S]*-A INPUT -i lo -j ACCEPT/)
    assert.doesNotMatch(host.must(['iptables-legacy-save', '-t', 'filter']), /DROP|-A/)
  })

  it('DISK: no room to record used packets', () => {
    const folder = daemon.path('state')
    const doctor = ghostportCommand('doctor', '--json', ...files(), '--only', 'DISK')
    const inSmall = (size: string, more = ''): Told['findings'][number] | undefined => {
      const script = `mount -t tmpfs -o size=${size},mode=700${more} none ${folder} && exec "$@"`
      const { stdout, stderr } = server.run(['unshare', '--mount', 'sh', '-c', script, 'sh', ...doctor])
      assert.ok(stdout.startsWith('{'), stderr)
      return JSON.parse(stdout).checks[0].findings[0]
    }
    assert.equal(inSmall('8m')?.severity, 'error')
    assert.equal(inSmall('64m')?.severity, 'warning')
    assert.match(inSmall('256m', ',nr_inodes=50')?.text ?? '', /no room for more files/)
    assert.equal(inSmall('256m'), undefined)
  })

  it('an unknown check is refused, and nothing to examine is no failure', () => {
    const wrong = server.run(ghostportCommand('doctor', '--only', 'CLOK'))
    assert.equal(wrong.status, 64)
    assert.match(wrong.stderr, /no check has the code “CLOK” — perhaps: ghostport doctor --list/)
  })
})
