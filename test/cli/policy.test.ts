/** The command line of `ghostport policy`: what each action takes, and what is refused, with nothing changed. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { options } from '../../src/cli/policy/options.ts'
import { command } from '../../src/cli/policy.ts'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const settings = (text: string): string => {
  const file = join(home.path, 'fwknopd.conf')
  writeFileSync(file, text, { mode: 0o600 })
  return file
}
const refused = async (argv: readonly string[], status: number, pattern: RegExp): Promise<void> => {
  const said = await home.ghostport(['policy', ...argv])
  assert.equal(said.status, status, said.stderr)
  assert.match(said.stderr, pattern)
  assert.equal(said.stdout, '')
}

describe('ghostport policy', () => {
  it('is told of in docs/POLICY.md, with all of its options and actions', () => {
    const page = readFileSync(new URL('../../docs/POLICY.md', import.meta.url), 'utf8')
    for (const [name, spec] of Object.entries(options)) {
      assert.match(page, new RegExp(`\`(?:-., \`)?--${name}\\b|, \`?--${name}\\b`), name)
      if ('short' in spec) assert.match(page, new RegExp(`\`-${spec.short}\\b`))
    }
    for (const line of command.about) {
      const [, action] = /^ {2}(\w+) {2,}/.exec(line) ?? []
      if (action !== undefined) assert.match(page, new RegExp(`\`${action}\`|ghostport policy ${action}`), action)
    }
  })

  for (const [argv, pattern] of [
    [[], /missing argument ACTION/],
    [['shwo'], /“shwo” is not one of .*perhaps: ghostport policy show/],
    [['show', 'more'], /unexpected argument “more”/],
    [['show', '--allow'], /--allow needs a value/],
    [['show', '--alow', 'tcp/80'], /there is no option --alow.*perhaps: --allow/],
    [['show', '--allow', 'http'], /--allow: “http” is not a protocol and port/],
    [['show', '--allow-from', 'tcp/22'], /--allow-from: “tcp\/22” has no address/],
    [['show', '--trust', 'a b'], /--trust: “a b” is not the name of an interface/],
    [
      ['show', '--reverse-path', 'lose'],
      /--reverse-path: “lose” is not one of strict, loose, off.*--reverse-path loose/,
    ],
    [['show', '--forward', 'accept'], /--forward: “accept” is not one of drop, leave/],
    [['show', '--confirm'], /--confirm has no effect with “policy show”/],
    [['remove', '--allow', 'tcp/1'], /--allow has no effect with “policy remove”/],
    [['install', '--revert-after', '5m'], /--revert-after: “5m” is not a number of seconds from 30 to 3600/],
    [['install', '--revert-after', '29'], /from 30 to 3600/],
    [['install', '--confirm', '--trust', 'wg0'], /--trust has no effect with --confirm/],
    [['audit', '--trust', 'wg0'], /--trust has no effect with “policy audit”/],
    [['audit', '--from-outside', '--allow', 'tcp/1'], /--allow has no effect with --from-outside/],
    [['audit', '--allow', 'ssh'], /--allow: “ssh” is not a protocol and port/],
    [['install', '--revert', '--allow', 'tcp/1'], /--allow has no effect with --revert/],
    [['install', '--revert', '--i-have-a-console'], /has no effect with --revert/],
    [['show', '--out', 'udp'], /--out: “udp” is not a protocol and port/],
  ] as const)
    it(`refuses ${argv.join(' ') || 'no words at all'}`, () => refused(argv, 64, pattern))

  it('takes the mark and the ports of sockets from the settings', async () => {
    const file = settings('CONNTRACK_MARK 0x10;\nCAPTURE udp;\nSPA_PORTS 62203;\n')
    const said = await home.ghostport(['policy', 'show', '-c', file, '--json'])
    assert.equal(said.status, 0, said.stderr)
    const { table, text, notes } = JSON.parse(said.stdout)
    assert.equal(table, 'inet ghostport_policy')
    assert.match(text, /ct mark and 0x10 == 0x10 accept/)
    assert.match(text, /udp dport \{ 62203 \} accept/)
    assert.match(notes.join('\n'), /udp\/62203 is let in: ghostport itself listens there/)
  })
  it('lets in the ports of a relay', async () => {
    const file = settings('FIREWALL relay;\nRELAY 8080 decoy=127.0.0.1:8000;\n')
    const said = await home.ghostport(['policy', 'show', '-c', file])
    assert.match(said.stdout, /tcp dport \{ 8080 \} accept/, said.stderr)
  })
  for (const [text, pattern] of [
    ['FIREWALL iptables;\n', /fwknopd\.conf:1: .*FIREWALL iptables opens ports by rules of iptables/],
    ['\nNFT_TABLE ghostport_policy;\n', /fwknopd\.conf:2: .*the policy has that table/],
    ['NFT_TABEL x;\n', /NFT_TABEL.*NFT_TABLE/],
  ] as const)
    it(`refuses settings with ${text.trim()}`, () => refused(['show', '-c', settings(text)], 78, pattern))
  it('tells a failure as JSON too', async () => {
    const said = await home.ghostport(['policy', 'install', '--revert-after', '1', '--json'])
    assert.equal(said.status, 64)
    assert.equal(JSON.parse(said.stdout).error.code, 'VALUE_INVALID')
  })
  it('refuses settings that are named and not there', () =>
    refused(['show', '-c', join(home.path, 'absent.conf')], 66, /there is no such file/))
})
