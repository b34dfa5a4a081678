/** `ghostport knock` as a user meets it: what it prints, where, and its exit status. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { EncryptionKey, HmacKey } from '../../src/packet/key.ts'
import { parseKeyText } from '../../src/packet/key-text.ts'
import { type OpenedPacket, openPacket } from '../../src/packet/open.ts'
import { must } from '../support/results.ts'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

const KEYS = ['--key-rijndael', 'sesame', '--key-hmac', 'latch'] as const
const BASE = ['knock', '-D', '127.0.0.1', '-A', 'tcp/22', '-s'] as const

/** Opens wire text with the keys that these tests use. */
function open(text: string, [encryption, hmac] = ['sesame', 'latch']): OpenedPacket {
  return must(
    openPacket(must(parseEnvelope(Buffer.from(text), { http: 'off' })), {
      encryption: { key: must(parseKeyText(EncryptionKey, encryption ?? '')), mode: 'CBC' },
      hmac: { key: must(parseKeyText(HmacKey, hmac ?? '')), type: 'sha256' },
    }),
  )
}

describe('ghostport knock', () => {
  it('sends a packet, says where to, and nothing else', async () => {
    const server = createSocket('udp4')
    server.bind(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const arrived = once(server, 'message')
      const { port } = server.address()
      const told = await home.ghostport([...BASE, ...KEYS, '-p', String(port), '-f', '30'])
      assert.deepEqual(told, {
        status: 0,
        stdout: `sent to 127.0.0.1 port ${port}/udp: tcp/22 for the address it arrives from, 30 s\n`,
        stderr: '',
      })
      const [bytes] = await arrived
      const { message } = open(bytes.toString('latin1'))
      assert.ok(message.kind === 'access' && message.timeout === 30 && message.username === 'ada')
    } finally {
      server.close()
    }
  })

  it('-T shows all but the keys, and sends nothing', async () => {
    const { status, stdout, stderr } = await home.ghostport([...BASE, ...KEYS, '-T'])
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^encryption {6}CBC, key \[secret\]$/m)
    assert.match(stdout, /^HMAC {12}sha256, key \[secret\]$/m)
    assert.match(stdout, /^Nothing was sent\.$/m)
    assert.doesNotMatch(stdout, /sesame|latch/)
    const [text] = stdout.match(/^[A-Za-z0-9+/]{140,}$/m) ?? []
    assert.equal(open(text ?? '').message.kind, 'access')
  })

  it('--json tells what was asked for and where it went', async () => {
    const { status, stdout } = await home.ghostport([
      ...BASE,
      ...KEYS,
      '--json',
      '-T',
      '--nat-local',
      '--nat-port',
      '80',
    ])
    assert.equal(status, 0)
    const said = JSON.parse(stdout)
    const { packet, characters, timestamp, ...rest } = said.packets[0]
    assert.deepEqual(
      { ...said, packets: rest },
      {
        ok: true,
        server: '127.0.0.1',
        request: {
          kind: 'localNatAccess',
          source: 'packet-source',
          username: 'ada',
          ports: ['tcp/80'],
          timeout: null,
          command: null,
          target: null,
          local_port: 22,
        },
        transport: 'udp',
        proxy: null,
        gateway: null,
        receipt: null,
        packets: {
          address: '127.0.0.1',
          port: 62201,
          sent: false,
          local_address: null,
          error: null,
          http_status: null,
        },
        open: null,
      },
    )
    assert.equal(characters, packet.length)
    assert.ok(Math.abs(timestamp - Date.now() / 1000) < 60)
  })

  it('--nat-rand-port says which port it chose', async () => {
    const { stdout } = await home.ghostport([...BASE, ...KEYS, '-T', '-N', '10.0.0.5', '--nat-rand-port'])
    const port = Number(stdout.match(/asks for +tcp\/(\d+) → 10\.0\.0\.5:22 for/)?.[1])
    assert.ok(port >= 10_000 && port <= 65_534, stdout)
  })

  it('--json tells a failure too', async () => {
    const { status, stdout } = await home.ghostport([...BASE, ...KEYS, '--json', '-f', 'soon'])
    assert.equal(status, 64)
    assert.deepEqual(JSON.parse(stdout).error.code, 'VALUE_INVALID')
    const { stdout: other } = await home.ghostport(['knock', '--json', '--acess', 'tcp/22'])
    const { code, exit, suggestion } = JSON.parse(other).error
    assert.deepEqual({ code, exit, suggestion }, { code: 'CLI_USAGE', exit: 64, suggestion: '--access' })
  })

  it('--wait finds a port that was open before the knock, and says so', async () => {
    const service = createServer((socket) => socket.on('error', () => {}).resume())
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    const address = service.address()
    assert.ok(address !== null && typeof address === 'object')
    const argv = ['knock', '-D', '127.0.0.1', '-s', '-A', `tcp/${address.port}`, ...KEYS, '--wait']
    const { status, stdout, stderr } = await home.ghostport(argv)
    const { stdout: json } = await home.ghostport([...argv, '--json'])
    service.close()
    assert.equal(status, 0, stderr)
    assert.match(stdout, new RegExp(`^was open already: 127\\.0\\.0\\.1 port ${address.port}; .*cannot be seen$`, 'm'))
    const open = { address: '127.0.0.1', port: address.port, milliseconds: 0, already: true }
    assert.deepEqual(JSON.parse(json).open, open)
  })

  it('--wait gives up with the likely causes', async () => {
    const { status, stderr } = await home.ghostport([
      ...BASE.slice(0, 3),
      '-A',
      'tcp/1',
      '-s',
      ...KEYS,
      '--wait',
      '--wait-limit',
      '0.2',
    ])
    assert.equal(status, 1)
    assert.match(stderr, /^ghostport: the port did not open: 127\.0\.0\.1 port 1 .*\[PORT_NOT_OPEN\]$/m)
    assert.match(stderr, /clocks differ/)
    assert.match(stderr, /ghostport is not running on the server.* UDP port 62201/)
    assert.match(stderr, /firewall has no mark rule/)
  })

  it('--wait knocks again, -v says so, and --json has each packet', async () => {
    const argv = ['knock', '-D', '127.0.0.1', '-A', 'tcp/1', '-s', ...KEYS, '--wait', '--wait-limit', '1.3']
    const [shown, silent, json, once] = await Promise.all(
      [['-v'], [], ['--json'], ['--json', '--knocks', '0']].map((more) => home.ghostport([...argv, ...more])),
    )
    assert.match(shown?.stdout ?? '', /^sent to 127\.0\.0\.1 port 62201\/udp: tcp\/1 .*\n$/)
    assert.match(shown?.stderr ?? '', /^knock 2: sent to 127\.0\.0\.1 port 62201\/udp: tcp\/1 /m)
    assert.match(shown?.stderr ?? '', /\(1\.3 s, 2 knocks, \d+ attempts\)/)
    assert.match(silent?.stdout ?? '', /^sent to .*\n$/)
    assert.doesNotMatch(silent?.stderr ?? '', /sent to/)
    const packets = (outcome: typeof json): number => JSON.parse(outcome?.stdout ?? '').packets.length
    assert.deepEqual([packets(json), packets(once)], [2, 1])
  })

  it('an address named with -a that is not this host’s is among the causes', async () => {
    const argv = [
      'knock',
      '-D',
      '127.0.0.1',
      '-A',
      'tcp/1',
      '-a',
      '198.51.100.7',
      ...KEYS,
      '--wait',
      '--wait-limit',
      '0.1',
    ]
    const { stderr } = await home.ghostport(argv)
    assert.match(stderr, /for 198\.51\.100\.7, but this host sends from 127\.0\.0\.1/)
  })
})

describe('keys', () => {
  it('come from the rc file', async () => {
    home.write(
      '.fwknoprc',
      '[default]\nKEY sesame\nHMAC_KEY latch\n[door]\nSPA_SERVER 127.0.0.1\nACCESS tcp/22\nALLOW_IP source\n',
    )
    const { status, stdout, stderr } = await home.ghostport(['knock', '-n', 'DOOR', '-T', '--json'])
    assert.equal(status, 0, stderr)
    open(JSON.parse(stdout).packets[0].packet)
  })
  const stanza = (more: string): string =>
    home.write('layers.rc', `[s]\nSPA_SERVER 127.0.0.1\nACCESS tcp/22\nKEY sesame\nHMAC_KEY latch\n${more}`)
  const layered: [string, string[], number, RegExp][] = [
    ['RESOLVE_IP_HTTPS Y', ['-a', '203.0.113.7'], 0, /"source":"203\.0\.113\.7"/],
    ['ALLOW_IP resolve', ['-s'], 0, /"source":"packet-source"/],
    [
      'ALLOW_IP resolve\nRESOLVE_URL https://127.0.0.1:9/',
      [],
      69,
      /"code":"OWN_ADDRESS_UNKNOWN".*refuses the connection/,
    ],
    ['SPA_SERVER_PROTO tcp', ['-s', '-P', 'udp'], 0, /"ok":true/],
    ['GPG_HOMEDIR /x\nNAT_PORT 80\nNAT_LOCAL Y', ['-s', '-C', 'uptime'], 0, /"command":"uptime"/],
    ['ALLOW_IP source', ['-C', 'uptime', '-A', 'tcp/22'], 64, /in one knock/],
  ]
  for (const [line, flags, status, json] of layered)
    it(`a stanza with ${JSON.stringify(line)} and ${flags.join(' ') || 'no flags'} is judged by what counts`, async () => {
      const told = await home.ghostport(['knock', '-n', 's', '--rc-file', stanza(line), ...flags, '-T', '--json'])
      assert.match(told.stdout, json)
      assert.equal(told.status, status)
    })
  it('--no-home-dir leaves the home directory alone, and --rc-file not', async () => {
    home.write('.fwknoprc', '[default]\nACCES broken\n')
    const rc = stanza('ALLOW_IP source')
    const named = await home.ghostport(['knock', '-n', 's', '--no-home-dir', '--rc-file', rc, '-T'])
    assert.deepEqual([named.status, named.stderr], [0, ''])
    const none = await home.ghostport([...BASE, ...KEYS, '--no-home-dir', '-T'])
    assert.deepEqual([none.status, none.stderr], [0, ''])
    const nowhere = await home.ghostport(['knock', '-n', 's', '--no-home-dir'])
    assert.match(nowhere.stderr, /no rc file to read \[s\] from: --no-home-dir is given — perhaps: --rc-file FILE /)
    assert.equal(nowhere.status, 78)
  })
  it('come from a key file', async () => {
    const file = home.write('keys', '# servers\nother: x\n127.0.0.1: sesame\n')
    const hmac = home.write('hmac-keys', 'HMAC_KEY: latch\n')
    const argv = [...BASE, '--no-rc-file', '-G', file, '--get-hmac-key', hmac, '-T', '--json']
    const { stdout, stderr } = await home.ghostport(argv)
    assert.equal(stderr, '')
    open(JSON.parse(stdout).packets[0].packet)
  })
  it('come from what keygen wrote', async () => {
    const file = `${home.path}/generated`
    assert.equal((await home.ghostport(['keygen', '-K', file])).status, 0)
    const { status } = await home.ghostport([...BASE, '--no-rc-file', '-G', file, '--get-hmac-key', file, '-T'])
    assert.equal(status, 0)
  })
  it('come from standard input, a line each', async () => {
    const argv = [...BASE, '--no-rc-file', '--stdin', '--use-hmac', '-T', '--json']
    const { stdout, stderr } = await home.ghostport(argv, { input: 'sesame\nlatch\n' })
    assert.equal(stderr, '')
    open(JSON.parse(stdout).packets[0].packet)
  })
  it('come from a descriptor', async () => {
    const argv = [...BASE, '--no-rc-file', '--fd', '3', '--use-hmac', '-T', '--json']
    const { stdout, stderr } = await home.ghostport(argv, { descriptor3: 'sesame\r\nlatch' })
    assert.equal(stderr, '')
    open(JSON.parse(stdout).packets[0].packet)
  })
})

describe('a stanza', () => {
  const door = (name: string, server: string): string =>
    `[${name}]\nSPA_SERVER ${server}\nACCESS tcp/1\nALLOW_IP source\n`
  const keys = 'KEY sesame\nHMAC_KEY latch\n'
  const file = (): string =>
    home.write(
      'stanzas',
      [door('front', '127.0.0.1'), keys, door('side', '127.0.0.2'), keys, door('back', '127.0.0.2'), keys].join(''),
    )
  const testOf = async (...argv: string[]) => {
    const { status, stdout, stderr } = await home.ghostport(['knock', '--rc-file', file(), '-T', '--json', ...argv])
    assert.equal(status, 0, stderr)
    return JSON.parse(stdout)
  }

  it('is the argument of knock', async () => {
    assert.equal((await testOf('FRONT')).server, '127.0.0.1')
    assert.equal((await testOf('-v', 'side')).server, '127.0.0.2', 'also after an option without value')
  })
  it('is found by its server', async () => {
    assert.deepEqual((await testOf('127.0.0.1')).request.ports, ['tcp/1'])
  })

  const refusals: [name: string, argv: string[], status: number, stderr: RegExp][] = [
    [
      'that the argument misspells',
      ['knock', 'frnt'],
      78,
      /no stanza \[frnt\] — perhaps: front \[CONFIG_MISSING_KEY\]/,
    ],
    [
      'that is a host',
      ['knock', 'host.example'],
      78,
      /no stanza \[host\.example\] — perhaps: --destination host\.example/,
    ],
    ['that is named twice', ['knock', 'front', '-n', 'side'], 64, /unexpected argument “front”; -n names the stanza/],
    ['and another word', ['knock', 'front', 'side'], 64, /unexpected argument “side” \[CLI_USAGE\]/],
    [
      'whose server two have',
      ['knock', '127.0.0.2'],
      64,
      /2 stanzas of .*stanzas have SPA_SERVER 127\.0\.0\.2: \[side\], \[back\] — perhaps: --named-config side \[CLI_USAGE\]/,
    ],
    [
      'of ssh, misspelt',
      ['ssh', 'root@frnt'],
      64,
      /no stanza of .*stanzas has the name or the SPA_SERVER “frnt” — perhaps: front/,
    ],
    ['of ssh, misspelt, without a key', ['ssh', '-s', 'frnt'], 78, /“frnt” — perhaps: front \[KEY_MISSING\]/],
    ['of ssh, misspelt, with keys', ['ssh', '-s', ...KEYS, 'frnt'], 68, /“frnt” — perhaps: front \[NAME_UNRESOLVED\]/],
    ['of proxy, misspelt', ['proxy', '-s', 'frnt', '1'], 78, /“frnt” — perhaps: front \[KEY_MISSING\]/],
    [
      'of knock, with a login name',
      ['knock', 'root@front'],
      78,
      /\[root@front\] — perhaps: front \[CONFIG_MISSING_KEY\]/,
    ],
    [
      'of proxy, after -n',
      ['proxy', '-s', '-n', 'nothing-near', '127.0.0.9', '1'],
      78,
      /has no stanza \[nothing-near\] \[CONFIG_MISSING_KEY\]/,
    ],
    [
      'of proxy, for %h that is no name',
      ['proxy', '-s', '127.0.0.9', '1'],
      78,
      /“127\.0\.0\.9” — perhaps: ProxyCommand ghostport proxy %n %p \[KEY_MISSING\]/,
    ],
  ]
  for (const [name, [command = '', ...argv], status, stderr] of refusals)
    it(`${name} is refused`, async () => {
      const told = await home.ghostport([command, '--rc-file', file(), ...argv])
      assert.match(told.stderr, stderr)
      assert.equal(told.status, status)
      assert.equal(told.stdout, '')
    })

  it('that has no file to be in is refused', async () => {
    const empty = new Home()
    try {
      const knock = await empty.ghostport(['knock', 'front'])
      assert.match(knock.stderr, /no rc file .*\.fwknoprc to take \[front\] from/)
      const proxy = await empty.ghostport(['proxy', '-s', 'front', '1'])
      assert.match(proxy.stderr, /there is no rc file .*\.fwknoprc with a stanza “front” \[KEY_MISSING\]/)
    } finally {
      empty[Symbol.dispose]()
    }
  })

  for (const argv of [
    ['proxy', '127.0.0.1', '1'],
    ['ssh', '127.0.0.1', '-p', '1'],
  ])
    it(`of ${argv[0]} that is none leaves the argument as the server, also where [default] has one`, async () => {
      const rc = home.write('default.rc', `[default]\nSPA_SERVER 127.0.0.9\nALLOW_IP source\n${keys}`)
      const [command = '', ...words] = argv
      const { stderr } = await home.ghostport([command, '--rc-file', rc, '--wait-limit', '0.1', ...words])
      assert.match(stderr, /127\.0\.0\.1 port 1 answers with a reset/)
    })

  it('of proxy is found by its server', async () => {
    const { status, stderr } = await home.ghostport([
      'proxy',
      '--rc-file',
      file(),
      '--wait-limit',
      '0.1',
      '127.0.0.1',
      '1',
    ])
    assert.match(stderr, /PORT_NOT_OPEN/)
    assert.equal(status, 1)
  })
})

describe('the files of a knock', () => {
  const rc = home.write('files.rc', '[default]\nALLOW_IP source\n[one]\nACCESS tcp/22\n[two]\nACCESS tcp/23\n')
  const words = ['knock', '--rc-file', rc, '-D', '127.0.0.1', '-n', 'one', '-T', '--json', ...KEYS]

  it('are the packets, where that is asked for: replaced, or added to', async () => {
    const file = join(home.path, 'packets')
    const packetOf = async (...more: string[]): Promise<string> => {
      const { status, stdout, stderr } = await home.ghostport([...words, '--save-packet', file, ...more])
      assert.equal(status, 0, stderr)
      return JSON.parse(stdout).packets[0].packet
    }
    await packetOf()
    const [first, second] = [await packetOf(), await packetOf('-b')]
    assert.equal(readFileSync(file, 'utf8'), `${first}\n${second}\n`)
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })
  it('and nothing is sent if they cannot be written', async () => {
    const sending = words.filter((word) => word !== '-T')
    const lost = await home.ghostport([...sending, '-B', '/proc/packets'])
    assert.equal(lost.status, 73, lost.stdout)
    assert.equal(JSON.parse(lost.stdout).ok, false)
    assert.equal((await home.ghostport([...words, '-b'])).status, 64)
  })
  it('are the stanzas of the rc file, as a list', async () => {
    const listed = await home.ghostport(['knock', '--rc-file', rc, '--stanza-list'])
    assert.equal(listed.stdout, `The following stanzas are configured in ${rc} :\n - one\n - two\n`)
    for (const more of [['one'], ['-n', 'one'], ['--no-rc-file']])
      assert.equal((await home.ghostport(['knock', '--stanza-list', ...more])).status, 64)
  })
})

describe('ghostport knock refuses', () => {
  const inBase = (...more: string[]): string[] => [...BASE, ...KEYS, '--no-rc-file', '-T', ...more]
  const cases: [name: string, argv: () => string[], status: number, stderr: RegExp][] = [
    [
      'no server',
      () => ['knock', '-A', 'tcp/22', '-s', '--no-rc-file'],
      64,
      /say where the packet goes: --destination HOST \(-D\) \[CLI_USAGE\]/,
    ],
    [
      'nothing to open',
      () => ['knock', '-D', 'h', '-s', '--no-rc-file'],
      64,
      /say what to open: --access tcp\/22 \(-A\)/,
    ],
    [
      'nobody to open for',
      () => ['knock', '-D', 'h', '-A', 'tcp/22', '--no-rc-file'],
      64,
      /--allow-ip ADDRESS \(-a\), --source-ip \(-s\)/,
    ],
    ...(
      [
        [
          'SPA_SERVER',
          ['-n', 'Door'],
          ['SPA_SERVER', 'ACCESS', 'ALLOW_IP'],
          64,
          /--destination HOST \(-D\), or set SPA_SERVER in stanza \[door\] of .*lacking\.rc \[CLI_USAGE/,
        ],
        [
          'ACCESS',
          ['door'],
          ['ACCESS'],
          64,
          /--access tcp\/22 \(-A\), or set ACCESS in stanza \[door\] of .*lacking\.rc \[CLI_USAGE/,
        ],
        [
          'ALLOW_IP',
          ['door'],
          ['ACCESS', 'ALLOW_IP'],
          64,
          /, or set ALLOW_IP in stanza \[door\] of .*lacking\.rc \[CLI_USAGE/,
        ],
        ['KEY', ['door'], ['KEY'], 78, /, or set KEY_BASE64 in stanza \[door\] of .*lacking\.rc \[KEY_MISSING/],
        [
          'HMAC_KEY',
          ['door'],
          ['HMAC_KEY'],
          78,
          /, or set HMAC_KEY_BASE64 in stanza \[door\] of .*lacking\.rc \[KEY_MISSING/,
        ],
      ] as const
    ).map(([setting, words, without, status, says]): (typeof cases)[number] => [
      `a stanza that lacks ${setting}, by its name`,
      () => {
        const lines = [
          'SPA_SERVER h',
          'ACCESS tcp/22',
          'ALLOW_IP source',
          'KEY a',
          'HMAC_KEY b',
          'HMAC_DIGEST_TYPE sha256',
        ]
        const left = lines.filter((line) => !without.some((name) => line.startsWith(`${name} `)))
        return ['knock', '--rc-file', home.write('lacking.rc', ['[door]', ...left, ''].join('\n')), '-T', ...words]
      },
      status,
      says,
    ]),
    ['a flag that is none', () => inBase('--nat-prot', '80'), 64, /no option --nat-prot — perhaps: --nat-port/],
    [
      'an argument to -s',
      () => ['knock', '-s', '1.2.3.4', '-A', 'tcp/22', '-D', 'h'],
      64,
      /unexpected argument “1\.2\.3\.4”: -s takes no value/,
    ],
    ['port 0', () => inBase('-p', '0'), 64, /--server-port: port 0/],
    ['port 65536', () => inBase('-p', '65536'), 64, /--server-port: port 65536/],
    ['NAT to nowhere', () => inBase('-N', ''), 64, /-N needs a value: -N HOST/],
    ['NAT to what is no host', () => inBase('-N', '10.0.0'), 64, /--nat-access: “10\.0\.0”/],
    [
      'a NAT port without NAT',
      () => inBase('--nat-port', '80'),
      64,
      /add --nat-access HOST \(-N\) or --nat-local.*CLI_USAGE/s,
    ],
    ['two ports with NAT', () => inBase('-A', 'udp/53', '-N', '10.0.0.5'), 64, /ask for one port.*CLI_USAGE/s],
    [
      'two ports with NAT from the rc file',
      () => {
        const rc = home.write('nat.rc', '[default]\nNAT_ACCESS 10.0.0.5:22\n')
        return [...BASE, ...KEYS, '--rc-file', rc, '-T', '-A', 'udp/53']
      },
      78,
      /ask for one port.*CONFIG_CONFLICT/s,
    ],
    [
      'two ports with NAT from a stanza, by its name',
      () => {
        const rc = home.write('nat.rc', '[inner]\nNAT_ACCESS 10.0.0.5:22\n')
        return [...BASE, ...KEYS, '--rc-file', rc, '-n', 'inner', '-T', '-A', 'udp/53']
      },
      78,
      /ask for one port.*some settings come from stanza \[inner\] of .*nat\.rc.*CONFIG_CONFLICT/s,
    ],
    [
      'both keys the same',
      () => [...BASE, '--no-rc-file', '-T', '--key-rijndael', 'x', '--key-hmac', 'x'],
      78,
      /are the same/,
    ],
    ['mode legacy with an HMAC', () => inBase('-M', 'legacy'), 78, /which has no HMAC/],
    [
      'more than a packet holds',
      () =>
        inBase(
          '-U',
          'a'.repeat(48),
          '--hmac-digest-type',
          'sha512',
          '-m',
          'sha512',
          '-N',
          `${'a'.repeat(60)}.example:22`,
        ),
      64,
      /SPA_MESSAGE_INVALID/,
    ],
    ['a user name that the wire cannot carry', () => inBase('-U', 'a'.repeat(49)), 64, /--spoof-user/],
    [
      'a name that does not resolve',
      () => ['knock', '-D', 'no-such-host.invalid', '-A', 'tcp/22', '-s', ...KEYS, '--no-rc-file'],
      68,
      /NAME_UNRESOLVED/,
    ],
    ['IPv6 only to an IPv4 address', () => inBase('-6'), 68, /not an IPv6 address/],
    [
      'an address it may not send to',
      () => ['knock', '-D', '255.255.255.255', '-A', 'tcp/22', '-s', ...KEYS, '--no-rc-file'],
      69,
      /SEND_FAILED/,
    ],
    [
      'no key and no terminal to ask on',
      () => [...BASE, '--no-rc-file'],
      78,
      /Encryption key for 127\.0\.0\.1 cannot be asked for: there is no terminal/,
    ],
    ['no key on standard input', () => [...BASE, '--no-rc-file', '--stdin'], 78, /descriptor 0 has no line for it/],
    [
      'a descriptor that is not open',
      () => [...BASE, '--no-rc-file', '--fd', '77'],
      78,
      /descriptor 77 cannot be read \(EBADF\)/,
    ],
    ['a descriptor that is no number', () => [...BASE, '--no-rc-file', '--fd', 'x'], 64, /--fd: “x”/],
    [
      'waiting for UDP',
      () => ['knock', '-D', '127.0.0.1', '-A', 'udp/53', '-s', ...KEYS, '--no-rc-file', '--wait'],
      64,
      /asks for no TCP port, so there is none to wait for/,
    ],
    ['waiting for no time', () => [...BASE, '--wait', '--wait-limit', '0'], 64, /--wait-limit: “0”/],
    [
      'too many knocks',
      () => [...BASE, '--wait', '--knocks', '21'],
      64,
      /--knocks: “21” is not a whole number from 0 to 20/,
    ],
    ['knocks without waiting', () => inBase('--knocks', '2'), 64, /--knocks has no effect without --wait/],
    ['waiting for what is no sign', () => [...BASE, '--wait', '--wait-for', 'godot'], 64, /neither connect nor banner/],
    [
      'a limit to no waiting',
      () => inBase('--wait-limit', '1'),
      64,
      /--wait-limit has no effect without --wait — perhaps: add --wait/,
    ],
    ['waiting for what is not sent', () => inBase('--wait'), 64, /--wait has no effect with --test/],
    [
      'an rc file that is not there',
      () => [...BASE, '--rc-file', 'nowhere'],
      66,
      /nowhere: there is no such file \[CONFIG_UNREADABLE\]/,
    ],
    ['a directory for an rc file', () => [...BASE, '--rc-file', '/'], 66, /not a regular file/],
    [
      'a stanza that is not there',
      () => ['knock', '-n', 'dor', '--rc-file', home.write('rc1', '[door]\nSPA_SERVER h\n')],
      78,
      /no stanza \[dor\] — perhaps: door/,
    ],
    [
      'a bad line of the rc file',
      () => ['knock', '-n', 'x', '--rc-file', home.write('rc2', '# one\n[x]\nACCES tcp/22\n')],
      78,
      /rc2:3: unknown setting: there is no setting ACCES — perhaps: ACCESS \[CONFIG_UNKNOWN_KEY\]/,
    ],
    [
      'an rc file with a key that others can read',
      () => ['knock', '--rc-file', home.write('rc3', '[default]\nKEY a\n', 0o644)],
      77,
      /can be read by others — perhaps: chmod 600 .*rc3 \[CONFIG_EXPOSED\]/,
    ],
    [
      'an rc file that others can write',
      () => ['knock', '--rc-file', home.write('rc4', '[default]\n', 0o622)],
      77,
      /changed by others/,
    ],
    [
      'a key file that others can read',
      () => [...BASE, '--no-rc-file', '-G', home.write('k1', '127.0.0.1: a\n', 0o644)],
      77,
      /chmod 600 .*k1/,
    ],
    [
      'a key file that is not there',
      () => [...BASE, '--no-rc-file', '-G', 'nowhere'],
      66,
      /nowhere: there is no such file/,
    ],
    [
      'a key file without the server',
      () => [...BASE, '--no-rc-file', '-G', home.write('k2', 'other: a\n')],
      78,
      /no key for 127\.0\.0\.1 \[KEY_MISSING\]/,
    ],
    [
      'a key file that is none',
      () => [...BASE, '--no-rc-file', '-G', home.write('k3', '\nhunter2\n')],
      78,
      /k3:2: .*a line must be “SERVER: KEY”/,
    ],
  ]
  for (const [name, argv, status, stderr] of cases)
    it(name, async () => {
      const told = await home.ghostport(argv())
      assert.match(told.stderr, stderr)
      assert.equal(told.status, status)
      assert.equal(told.stdout, '', 'and has done nothing')
      assert.doesNotMatch(told.stderr, /hunter2|sesame|latch/)
      assert.doesNotMatch(told.stderr, / {4}at /, 'no stack')
    })
})
