/**
 * `ghostport exec`, and knocks that name several stanzas: two servers that drop what they do not know.
 *
 *   client 10.9.0.1 ── 10.9.0.2 one: ghostport serve, a greeting service on tcp/22 and udp/53
 *   client 10.9.1.1 ── 10.9.1.2 two: the same
 */
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fwknopCommand } from '../cli/ghostport.ts'
import { Daemon, dropByDefault, ghostportCommand, keys, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const [ONE, TWO] = ['10.9.0.2', '10.9.1.2']

describe('ghostport exec', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let rc: string

  before(async () => {
    net = await Network.create()
    client = await net.host('client')
    for (const [name, ours, theirs] of [
      ['one', '10.9.0.1', ONE],
      ['two', '10.9.1.1', TWO],
    ] as const) {
      const server = await net.host(name)
      await net.link(client, [`${ours}/24`], server, [`${theirs}/24`])
      dropByDefault(server)
      await server.listen([
        { protocol: 'tcp', port: 22, banner: `ssh of ${name}` },
        { protocol: 'udp', port: 53, banner: `dns of ${name}` },
      ])
      await Daemon.start(net, server, { access: stanza(['FW_ACCESS_TIMEOUT 2']) })
    }
    rc = join(net.directory(), 'rc')
    const common = `ACCESS tcp/22\nALLOW_IP source\n`
    const good = `KEY_BASE64 ${btoa(keys.key)}\nHMAC_KEY_BASE64 ${btoa(keys.hmac)}\n`
    writeFileSync(
      rc,
      [
        `[one]\nSPA_SERVER ${ONE}\n${common}${good}`,
        `[two]\nSPA_SERVER ${TWO}\n${common}${good}`,
        `[wrong]\nSPA_SERVER ${ONE}\n${common}KEY no\nHMAC_KEY nothing\n`,
        `[broken]\nSPA_SERVER ${ONE}\nACCESS tcp/0\n`,
        `[a,b]\nSPA_SERVER ${ONE}\n${common}${good}`,
      ].join(''),
      { mode: 0o600 },
    )
  })
  after(() => net?.close())

  const command = (...words: readonly string[]): readonly string[] =>
    ghostportCommand('exec', '--rc-file', rc, ...words)
  const exec = (...words: readonly string[]): Outcome => client.run(command(...words))
  const allShut = async (): Promise<void> => {
    for (const address of [ONE, TWO]) await client.until('timeout', { protocol: 'tcp', address, port: 22 })
  }

  it('runs the command once the door is open, with its address in the environment, and ends with its status', async () => {
    await allShut()
    const script = 'socat -T1 -u TCP:"$GHOSTPORT_ADDRESS:$GHOSTPORT_PORT" - ; echo; echo "$@"; exit 7'
    const { status, stdout, stderr } = exec('-n', 'one', '--', 'sh', '-c', script, 'sh', '--', '-n', 'a b')
    assert.deepEqual([status, stderr], [7, ''])
    assert.match(stdout, /^ssh of one\s+-- -n a b\n$/)
  })
  it('does not run it where the door stays shut', async () => {
    await allShut()
    const file = join(net.directory(), 'ran')
    const shut = exec('-n', 'wrong', '--wait-limit', '0.3', '--', 'touch', file)
    assert.equal(shut.status, 1)
    assert.match(shut.stderr, /the port did not open/)
    const unusable = exec('-n', 'broken', '--', 'touch', file)
    assert.equal(unusable.status, 78)
    assert.equal(existsSync(file), false)
  })
  it('tells how a signal, a missing program or a missing permission ended it', () => {
    assert.equal(exec('-n', 'one', '--', 'sh', '-c', 'kill -KILL $$').status, 137)
    const missing = exec('-n', 'one', '--', 'no-such-program')
    assert.equal(missing.status, 127)
    assert.match(missing.stderr, /^ghostport: no-such-program cannot be started: there is no such program in PATH$/m)
    assert.equal(exec('-n', 'one', '--', '/etc/passwd').status, 126)
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    it(`passes ${signal} on, and waits for the command`, async () => {
      const script = `trap 'sleep 0.1; echo got it; exit 9' ${signal.slice(3)}; echo ready $PPID; while :; do sleep 0.02; done`
      // Without a controlling terminal, which would send SIGINT to the command itself.
      const program = client.start(['setsid', '--wait', ...command('-n', 'one', '--', 'sh', '-c', script)])
      const [, pid] = await program.says(/ready ([0-9]+)/)
      process.kill(Number(pid), signal)
      assert.equal(await program.ended, 9)
      assert.match(program.output, /got it/)
    })
  it('opens all doors of several stanzas first', async () => {
    await allShut()
    const script = `for at in ${ONE} ${TWO}; do socat -T1 -u TCP:$at:22 -; echo; done`
    assert.match(exec('-n', 'one,two', '--', 'sh', '-c', script).stdout, /^ssh of one\s+ssh of two\s+$/)
  })
  it('runs nothing where one of several stays shut, and knocks on the others all the same', async () => {
    await allShut()
    const { status, stdout, stderr } = exec('-n', 'broken,none,two', '--', 'echo', 'ran')
    assert.deepEqual([status, stdout], [78, ''])
    assert.match(stderr, /stanza \[broken\]: .*\n.*stanza \[none\]: /)
    assert.match(await client.tcp(TWO, 22), /ssh of two/)
  })
  it('runs the command after a delay, for a port that does not show whether it is open', () => {
    const words = ['-n', 'one', '-A', 'udp/53', '-f', '5']
    const refused = exec(...words, '--', 'true')
    assert.deepEqual(
      [refused.status, /asks for no TCP port.*perhaps: --delay SECONDS/.test(refused.stderr)],
      [64, true],
    )
    const script = 'echo | socat -T1 - UDP:"$GHOSTPORT_ADDRESS:$GHOSTPORT_PORT"'
    assert.match(exec(...words, '--delay', '0.3', '--', 'sh', '-c', script).stdout, /dns of one/)
  })

  describe('a knock with several stanzas', () => {
    it('knocks with each, waits for each, and says so', async () => {
      await allShut()
      const words = ['knock', '--rc-file', rc, 'one,two', '--wait']
      const { status, stdout, stderr } = client.run(ghostportCommand(...words))
      assert.equal(status, 0, stderr)
      assert.match(stdout, new RegExp(`sent to ${ONE} .*\\n.*${ONE} port 22\\nsent to ${TWO} .*\\n.*${TWO} port 22\\n`))
      const json = client.run(ghostportCommand(...words, '--json'))
      const servers = json.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).server)
      assert.deepEqual(servers, [ONE, TWO])
    })
    for (const [name, program] of [
      ['ghostport knock', ghostportCommand('knock')],
      ['fwknop', [...fwknopCommand, '--no-save-args']],
    ] as const)
      it(`of ${name} goes on after one that failed`, async () => {
        await allShut()
        const { status, stderr } = client.run([...program, '--rc-file', rc, '-n', 'broken,one,none,two'])
        assert.equal(status, name === 'fwknop' ? 1 : 78)
        assert.match(stderr, /stanza \[broken\]: [\s\S]*stanza \[none\]: /)
        for (const [address, banner] of [
          [ONE, 'ssh of one'],
          [TWO, 'ssh of two'],
        ] as const)
          await client.until(banner, { protocol: 'tcp', address, port: 22 }, 2_000)
      })
    it('takes a stanza whose name has a comma as one', async () => {
      await allShut()
      assert.equal(client.run(ghostportCommand('knock', '--rc-file', rc, '-n', 'A,b')).status, 0)
      await client.until('ssh of one', { protocol: 'tcp', address: ONE, port: 22 }, 2_000)
    })
  })
})
