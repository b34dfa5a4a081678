/**
 * Our `fwknop` beside fwknop's own: the same command lines make the same packets, and open the real fwknopd. And the
 * command lines of 1.9.12 open ghostport (`cases.ts` draws the hosts).
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fwknopCommand } from '../cli/ghostport.ts'
import { Daemon, dropByDefault } from '../support/daemon.ts'
import { some } from '../support/in-full.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'
import { CLIENT, flagsOf, interopHosts, keyFlagsOf, SERVER, sharedCases, stanzaOf } from './cases.ts'
import { startFwknopd } from './client-fwknopd.ts'

const table = sharedCases()
const cases = table.all

/** No file of the user's is read or written. fwknop wants to know where it would save its words all the same. */
const ALONE = ['--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none']

/** Rows of the dump, without what differs from packet to packet. */
function dumpOf({ stdout }: Outcome): readonly string[] {
  const rows = stdout.split('\n').filter((row) => /^ *[A-Za-z ]+: /.test(row))
  return rows
    .filter((row) => !/Random Value|Timestamp|SPA Data Digest/.test(row))
    .map((row) =>
      row
        .replace(/(Encoded Data: )[0-9]{16}(:[^:]*:)[0-9]+/, '$1RANDOM$2TIME')
        .replace(/((?: HMAC|Final SPA Data): )(.*)/, (_, name, value) => `${name}${value.length} characters`),
    )
    .filter((row) => !/^send_spa_packet/.test(row))
}

describe('our fwknop and the real one make the same packets', { skip: netnsUnavailable() }, () => {
  let net: Network
  let host: Host
  before(async () => {
    net = await Network.create()
    host = await net.host('client')
  })
  after(() => net?.close())

  const more: readonly (readonly [words: readonly string[], hmac?: false])[] = [
    [['-A', 'tcp/22', '-s']],
    [['--acc', 'tcp/22', '--allow', '192.0.2.1']],
    [['-A', 'tcp/22', '-A', 'udp/53,tcp/1', '-a192.0.2.1']],
    [['-A', 'tcp/22', '-a', '192.0.2.1', '-s']],
    [['-A', 'tcp/22', '-s', '-f', '30']],
    [['-A', 'tcp/22', '-s', '-N', '192.0.2.9:2222']],
    [['-A', 'tcp/22', '-s', '-N', 'web.example,2222', '-f', '9']],
    [['-A', 'tcp/22', '-s', '-N', '192.0.2.9', '--nat-port', '55000']],
    [['-A', 'tcp/22', '-s', '--nat-l']],
    [['-A', 'tcp/22', '-s', '--nat-local', '--nat-port=80', '--fw-timeout', '9']],
    [['-A', 'tcp/80', '-s', '--nat-local', '-N', `${SERVER}:22`]],
    [['-C', 'ls -l /tmp', '-s']],
    [['-A', 'tcp/22', '-s', '-U', 'ada lovelace']],
    [['-A', 'tcp/22', '-s', '-m', 'sha512', '-p', '1234', '-S', '999']],
    [['-A', 'tcp/22', '-s', '-m', 'MD5', '-M', 'legacy'], false],
    [['-A', 'tcp/22', '-sv', '-M', 'ctr']],
  ]
  const lines = [
    ...more.map(([words, hmac]) => ({
      words: [...words, ...(hmac === false ? ['--key-rijndael', 'one'] : keyFlagsOf(0))],
      name: words.join(' '),
    })),
    ...cases.map((each, i) => ({ words: flagsOf(i, each), name: each.name })),
  ]
  for (const { words, name } of some(lines, 2))
    it(name, () => {
      const argv = [...ALONE, '-T', '-v', '-D', SERVER, ...words]
      const theirs = host.run(['fwknop', ...argv])
      const ours = host.run([...fwknopCommand, ...argv])
      assert.equal(theirs.status, 0, theirs.stderr)
      assert.equal(ours.status, 0, ours.stderr)
      assert.deepEqual(dumpOf(ours), dumpOf(theirs))
      assert.ok(dumpOf(ours).length > 30, 'the packet, how it leaves, and the packet decrypted')
    })
})

describe('our fwknop opens the real fwknopd', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  before(async () => {
    net = await Network.create()
    ;({ client, server } = await interopHosts(net, table))
    await startFwknopd(
      net,
      server,
      cases.map((each, i) => stanzaOf(i, each)),
    )
  })
  after(() => net?.close())

  for (const [i, each] of some(cases.entries(), 3))
    it(each.name, async () => {
      const { reach } = each
      const probe = { protocol: reach.protocol ?? 'tcp', address: SERVER, port: reach.port, timeoutMs: 150 } as const
      const { status, stderr, stdout } = client.run([...fwknopCommand, ...ALONE, '-D', SERVER, ...flagsOf(i, each)])
      assert.deepEqual([status, stdout, stderr], [0, '', ''])
      await client.until(reach.answer, probe, 3_000)
    })
})

describe('the command lines of fwknop 1.9.12', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  const old = 'sixteen byte key'
  const modern = { key: 'another key', hmac: 'and its HMAC key' }

  before(async () => {
    net = await Network.create()
    ;({ client, server } = await interopHosts(net, table))
    dropByDefault(server)
    daemon = await Daemon.start(net, server, {
      server: ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y'],
      access: [
        `SOURCE ANY\nKEY ${old}\nENCRYPTION_MODE legacy\nOPEN_PORTS tcp/80,tcp/55001`,
        `SOURCE ANY\nKEY_BASE64 ${btoa(modern.key)}\nHMAC_KEY_BASE64 ${btoa(modern.hmac)}\nOPEN_PORTS tcp/82`,
        '',
      ].join('\n'),
    })
  })
  after(() => net?.close())

  const fwknop = (...argv: readonly string[]): Outcome => client.run([...fwknopCommand, ...ALONE, ...argv])

  async function opens(port: number, answer: string, argv: readonly string[]): Promise<void> {
    assert.equal(await client.tcp(SERVER, port, { timeoutMs: 50 }), 'timeout', 'before the knock')
    const verdict = await daemon.verdictAfter(() => {
      const { status, stderr } = fwknop('-a', CLIENT, '-D', SERVER, ...argv)
      assert.equal(status, 0, stderr)
    })
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    await client.until(answer, { protocol: 'tcp', address: SERVER, port, timeoutMs: 500 }, 3_000)
  }

  it('open the ghost service of the 2009 notes: type 5, and the NAT field has the public port', async () => {
    const argv = ['-A', 'tcp/22', '--NAT-access', `${SERVER},80`, '--NAT-local', '--key-rijndael', old]
    const shown = fwknop('-a', CLIENT, '-D', SERVER, ...argv, '-T').stdout
    assert.match(shown, /FKO Version: 1\.9\.12\n +Message Type: 5 \(Local NAT access msg\)\n/)
    assert.match(shown, new RegExp(`Message String: ${CLIENT},tcp/22\\n +Nat Access: ${SERVER},80\\n`))
    assert.match(shown, /HMAC: <NULL>/)
    await opens(80, 'service-22', argv)
    assert.equal(await client.tcp(SERVER, 22, { timeoutMs: 50 }), 'timeout', 'ssh itself stays shut')
  })
  it('open an inner host: type 2, and the NAT field has the public port', async () => {
    const argv = ['-A', 'tcp/22', '--NAT-access', '10.9.1.2:55001', '--key-rijndael', old]
    assert.match(
      fwknop('-a', CLIENT, '-D', SERVER, ...argv, '-T').stdout,
      /Message Type: 2 .*\n.*tcp\/22\n.*10\.9\.1\.2,55001/,
    )
    await opens(55_001, 'inner-22', argv)
  })
  it('send what a newer server understands, where there is an HMAC key', async () => {
    const keys = ['--key-rijndael', modern.key, '--key-hmac', modern.hmac]
    const argv = ['-A', 'tcp/22', '--NAT-access', `${SERVER},82`, '--NAT-local', ...keys]
    assert.match(
      fwknop('-a', CLIENT, '-D', SERVER, ...argv, '-T').stdout,
      /FKO Version: 3\.0\.0\n.*\n.*tcp\/82\n.*,22\n/,
    )
    await opens(82, 'service-22', argv)
  })
})
