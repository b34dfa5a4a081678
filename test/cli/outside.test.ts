/** The command line of `ghostport outside`, and comparing saved scans with it. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { options } from '../../src/cli/outside/options.ts'
import { nmap6, nmap7 } from '../support/scans.ts'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const file = (name: string, text: string): string => {
  writeFileSync(join(home.path, name), text)
  return name
}
const outside = (...argv: readonly string[]) => home.ghostport(['outside', ...argv])

const web = file('web.xml', nmap7({ listed: { 80: 'open' }, extra: { filtered: [999, '1-79,81-1000'] } }))
const later = file('later.xml', readFileSync(join(home.path, web), 'utf8').replace(/1255640\d+/g, '1700000000'))
const ssh = file(
  'ssh.xml',
  nmap7({ listed: { 22: 'open', 80: 'open' }, extra: { filtered: [998, '1-21,23-79,81-1000'] } }),
)

file('udp.txt', 'udp/53\n')

describe('ghostport outside', () => {
  it('is told of in docs/OUTSIDE.md, with all of its options', () => {
    const page = readFileSync(new URL('../../docs/OUTSIDE.md', import.meta.url), 'utf8')
    for (const [name, spec] of Object.entries(options)) {
      assert.match(page, new RegExp(`\\| (?:\`-.(?: [A-Z]+)?\`, )?\`--${name}\\b`), name)
      if ('short' in spec) assert.match(page, new RegExp(`\`-${spec.short}\\b`), name)
    }
  })

  for (const [argv, pattern] of [
    [[], /missing argument TARGET/],
    [['h', 'i'], /unexpected argument “i”: one host is scanned at a time.*perhaps: --compare h i/],
    [['192.0.2.0/24'], /“192\.0\.2\.0\/24” is not one host: networks are never scanned/],
    [['192.0.2.1-9'], /ranges and parts of addresses are never scanned/],
    [['h,i'], /scan one after the other/],
    [['--', '-oX'], /“-oX” is not one host/],
    [['h', '-p', 'ssh'], /--ports \(-p\): “ssh” is no list of ports/],
    [['h', '-p', '0'], /no list of ports from 1 to 65535/],
    [['h', '--timeout', '0'], /--timeout: “0” is not a number of seconds from 0\.1 to 30/],
    [['h', '--timeout', '31'], /from 0\.1 to 30/],
    [['h', '--rate', '1001'], /--rate: “1001” is not a number from 1 to 1000/],
    [['h', '--from', 'eth0'], /--from: “eth0” is not an IP address/],
    [['h', '--from', '192.0.2.1', '--from', '192.0.2.2'], /--from: there are two addresses of IPv4/],
    [['h', '--expect', 'udp.txt'], /--expect: udp\/53 cannot be asked by connecting/],
    [['h', '--after', '5'], /--after has no effect without --knock/],
    [['h', '--rc-file', 'f'], /--rc-file has no effect without --knock/],
    [['h', '--knock', 's', '--after', '1h'], /--after: “1h” is not a number of seconds from 0 to 3600/],
    [['h', '--nmap', '--timeout', '1'], /--timeout has no effect with --nmap/],
    [['--compare', 'a', 'b', '--knock', 's'], /--knock has no effect with --compare/],
    [['--compare'], /--compare needs two files/],
    [['--compare', 'a'], /--compare needs two files, or --expect FILE/],
    [['--compare', 'a', 'b', '--save', 'c'], /--save has no effect with --compare/],
    [['--compare', 'a', 'b', '-4'], /--ipv4 has no effect with --compare/],
    [['--compare', 'a', 'b', '--from', '::1'], /--from has no effect with --compare/],
    [['--compare', 'a', 'b', 'c'], /unexpected argument “c”/],
    [['--comprae', 'a', 'b'], /there is no option --comprae.*perhaps: --compare/],
    [['--compare=a', 'b'], /--compare takes no value/],
  ] as const)
    it(`refuses ${argv.join(' ') || 'nothing'}`, async () => {
      const said = await outside(...argv)
      assert.equal(said.status, 64, said.stderr)
      assert.match(said.stderr, pattern)
      assert.equal(said.stdout, '')
    })

  for (const [what, text, pattern] of [
    ['there is no such file', undefined, /broken\.xml.*\[CONFIG_UNREADABLE\]/],
    ['it is empty', '', /broken\.xml: it is neither.*\[SCAN_INVALID\]/],
    ['it is cut off', nmap7({}).slice(0, -20), /broken\.xml: its XML is not well-formed/],
    ['it declares entities', '<!DOCTYPE nmaprun [<!ENTITY x "y">]><nmaprun/>', /DOCTYPE declares something/],
    ['nmap gave up on the host', nmap7({}).replace('<host ', '<host timedout="true" '), /gave up on a host/],
  ] as const)
    it(`ends with 2 where a scan cannot be read: ${what}`, async () => {
      const broken = text === undefined ? 'no-broken.xml' : file('broken.xml', text)
      for (const files of [
        [web, broken],
        [broken, web],
      ]) {
        const said = await outside('--compare', '--json', ...files)
        assert.equal(said.status, 2, said.stderr)
        assert.match(said.stderr, pattern)
        assert.equal(JSON.parse(said.stdout).error.exit, 2)
      }
    })

  for (const [what, expected, status, pattern] of [
    ['as expected', 'tcp/80\n', 0, /^as expected by seen\.txt\n$/],
    ['not as expected', 'nothing\n', 1, /192\.0\.2\.10: tcp\/80 is open, and not expected to be/],
    ['not known', 'tcp/80\nudp/53\n', 2, /not known: 192\.0\.2\.10: udp\/53 was not asked/],
  ] as const)
    it(`says that a saved scan is ${what}, with ${status}`, async () => {
      const said = await outside('--compare', web, '--expect', file('seen.txt', expected))
      assert.equal(said.status, status, said.stderr)
      assert.match(said.stdout, pattern)
      const both = await outside('--compare', web, web, '--json', '--expect', 'seen.txt')
      assert.equal(both.status, status)
      assert.equal(JSON.parse(both.stdout).expectations.length, 2)
    })
  it('names file and line of what is wrong in an expectation, with 2', async () => {
    const said = await outside('--compare', web, '--expect', file('bad.txt', 'tcp/80\ntcp/443 opne\n'))
    assert.equal(said.status, 2)
    assert.match(said.stderr, /bad\.txt:2: .*“opne” is not one of .*perhaps: open \[CONFIG_SYNTAX\]/)
    assert.match((await outside('h', '--expect', 'none.txt')).stderr, /none\.txt: there is no such file/)
  })

  it('says that two scans are the same, with 0', async () => {
    assert.deepEqual(await outside('--compare', web, later), {
      ...{ status: 0, stderr: '' },
      stdout: 'the same: web.xml and later.xml\n',
    })
  })
  it('shows what differs, with 1', async () => {
    assert.deepEqual(await outside('--compare', web, ssh), {
      ...{ status: 1, stderr: '' },
      stdout: 'different: web.xml → ssh.xml\n192.0.2.10\n  tcp/22: filtered → open\n',
    })
    const said = await outside('--compare', web, ssh, '--json')
    assert.equal(said.status, 1)
    assert.deepEqual(JSON.parse(said.stdout), {
      differences: [
        { address: '192.0.2.10', kind: 'state', protocol: 'tcp', ports: '22', before: 'filtered', after: 'open' },
      ],
      ...{ askedOnce: [], warnings: [], status: 1 },
    })
  })
  it('warns where a closed port may look filtered only since the scanner had less time', async () => {
    const closed = { listed: { 80: 'open' }, extra: { closed: [999, '1-79,81-1000'] } } as const
    const all = file('closed.xml', nmap6(closed))
    const hasty = file(
      'hasty.xml',
      nmap6({ ...closed, args: 'nmap -PN --max-rtt-timeout 20 -oX y.xml 192.0.2.10', extra: { filtered: [999, ''] } }),
    )
    const said = await outside('--compare', all, hasty)
    assert.equal(said.status, 1)
    assert.match(
      said.stderr,
      /^warning: .*no --max-rtt-timeout → --max-rtt-timeout 20\): with less time.*looks filtered\n$/,
    )
    assert.match(said.stdout, /tcp\/1-79: closed → filtered/)
  })
  it('lets no greeting touch the terminal', async () => {
    const evil = 'x&#x1b;]0;owned&#7;&#x202e;&#10;the same: a and b'
    const told = { listed: { 80: 'open' }, extra: { filtered: [999, '1-79,81-1000'] } } as const
    const hostile = file('evil.xml', nmap7({ ...told, scripts: { 80: `<script id="banner" output="${evil}"/>` } }))
    const said = await outside('--compare', web, hostile)
    assert.equal(said.status, 1)
    assert.equal(
      said.stdout,
      'different: web.xml → evil.xml\n192.0.2.10\n  tcp/80 says: nothing → “x\\x1b]0;owned\\x07\\u{202e}\\nthe same: a and b”\n',
    )
    assert.doesNotMatch((await outside('--compare', '--json', web, hostile)).stdout, /[^\x20-\x7e\n]/)
  })
})
