/** The command as a whole: its subcommands, its help, keygen, and the prompt. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { commands } from '../../src/cli/commands.ts'
import { failureKinds } from '../../src/failure-codes.ts'
import { parseEnvelope } from '../../src/packet/envelope.ts'
import { EncryptionKey, HmacKey } from '../../src/packet/key.ts'
import { openPacket } from '../../src/packet/open.ts'
import { ghostportCommand, Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

describe('ghostport', () => {
  const cases: [string[], number, 'stdout' | 'stderr', RegExp][] = [
    [[], 64, 'stderr', /usage: ghostport COMMAND/],
    [['help'], 0, 'stdout', /usage: ghostport COMMAND/],
    [['--help'], 0, 'stdout', /usage: ghostport COMMAND/],
    [['-h'], 0, 'stdout', /usage: ghostport COMMAND/],
    [['version'], 0, 'stdout', /^ghostport \d+\.\d+\.\d+, SPA protocol 3\.0\.0/],
    [['-V'], 0, 'stdout', /^ghostport \d/],
    [['help', 'knock'], 0, 'stdout', /-A, --access PROTO\/PORT/],
    [['help', 'help'], 0, 'stdout', /^usage: ghostport help \[COMMAND\]/],
    [['help', '--help'], 0, 'stdout', /^usage: ghostport help \[COMMAND\]/],
    [['help', 'version'], 0, 'stdout', /^usage: ghostport version/],
    [['version', '--help'], 0, 'stdout', /^usage: ghostport version/],
    [['-h', 'knock'], 0, 'stdout', /^usage: ghostport knock/],
    [['ssh', '--help'], 0, 'stdout', /usage: ghostport ssh/],
    [['proxy', '--help'], 0, 'stdout', /ProxyCommand ghostport proxy %n %p/],
    [['keygen', '-h'], 0, 'stdout', /--key-gen-file/],
    [['nock'], 64, 'stderr', /no command “nock” — perhaps: ghostport knock \[CLI_USAGE\]/],
    [['toString'], 64, 'stderr', /no command “toString” — perhaps: ghostport help \[CLI_USAGE\]/],
    [['help', 'serv'], 64, 'stderr', /perhaps: ghostport help serve/],
    [['help', 'knock', 'again'], 64, 'stderr', /unexpected argument/],
    [['version', 'now'], 64, 'stderr', /unexpected argument/],
    [['--key-rijndael=hunter2', '-s'], 64, 'stderr', /^(?!.*hunter2).*perhaps: ghostport knock --key-rijndael …/],
    [['-D', 'host'], 64, 'stderr', /there is no command before -D — perhaps: ghostport knock -D … /],
    [['--key-gen'], 64, 'stderr', /there is no command before --key-gen — perhaps: ghostport keygen /],
    [['--fw-flush'], 64, 'stderr', /there is no command before --fw-flush — perhaps: ghostport help /],
    [['ssh'], 64, 'stderr', /missing argument \[USER@\]HOST: ghostport ssh \[USER@\]HOST/],
    [
      ['ssh', '-i', 'key', 'host'],
      64,
      'stderr',
      /no option -i; ssh’s own options go after the host: ghostport ssh HOST/,
    ],
    [['ssh', '-l', 'ada', 'host'], 64, 'stderr', /ssh’s own options go after the host/],
    [['proxy', 'host'], 64, 'stderr', /missing argument PORT: ghostport proxy HOST PORT/],
    [['proxy', 'host', '0'], 64, 'stderr', /port 0/],
    [['proxy', 'host', '22', '23'], 64, 'stderr', /unexpected argument/],
    [['proxy', '--stdin', 'host', '22'], 64, 'stderr', /the connection uses standard input.*--fd 3/],
    [['keygen', '--key-len', '33'], 64, 'stderr', /--key-len: “33”/],
    [['keygen', '--key-len', '0'], 64, 'stderr', /--key-len: “0”/],
    [['keygen', '--hmac-key-len', '129'], 64, 'stderr', /--hmac-key-len: “129”/],
    [['keygen', '--hmac-digest-type', 'sha0'], 64, 'stderr', /--hmac-digest-type: “sha0”/],
    [['keygen', '--rc', '--access'], 64, 'stderr', /--access and --rc cannot be used together — perhaps: --pair /],
    [['keygen', '--access', '--name', '3'], 64, 'stderr', /--name: a name has at least one letter/],
    [['keygen', '--rc', '--name', 'ada'], 64, 'stderr', /--name has no effect without --pair or --access/],
    [['keygen', 'x'], 64, 'stderr', /unexpected argument/],
    [['keygen', '-K', '/nowhere/at/all'], 73, 'stderr', /\/nowhere\/at\/all: there is no such folder/],
    [['keygen', '--server', 'h'], 64, 'stderr', /--server has no effect without --pair or --rc — perhaps: --pair/],
    [['keygen', '--open', 'tcp/22'], 64, 'stderr', /--open has no effect without --pair or --access or --rc/],
    [['keygen', '--pair', '--open', 'tcp/0'], 64, 'stderr', /--open: .*tcp\/0/],
    [['keygen', '--pair', '--server', 'a b'], 64, 'stderr', /--server: “a b” is neither an address nor a host name/],
  ]
  for (const [argv, status, stream, text] of cases)
    it(argv.join(' ') || '(nothing)', async () => {
      const told = await home.ghostport(argv)
      assert.match(told[stream], text)
      assert.equal(told.status, status)
      assert.equal(told[stream === 'stdout' ? 'stderr' : 'stdout'], '')
    })

  for (const name of Object.keys(commands))
    for (const word of ['--help', '-h'])
      it(`${name} ${word} shows the help of ${name}`, async () => {
        const { status, stdout, stderr } = await home.ghostport([name, word])
        assert.match(stdout, new RegExp(`^usage: ghostport ${name}\\b`))
        assert.match(stdout, /^ +-h, --help /m)
        assert.deepEqual([status, stderr], [0, ''])
      })

  for (const [name, { load }] of Object.entries(commands))
    it(`${name} refuses an option that it does not have, in JSON too where it has --json`, async () => {
      const { options } = (await load()).command
      const json = 'json' in options ? ['--json'] : []
      const { status, stdout, stderr } = await home.ghostport([name, ...json, '--hlep'])
      assert.match(stderr, /there is no option --hlep.* --help/)
      assert.equal(status, 64)
      const { suggestion } = stdout === '' ? {} : JSON.parse(stdout).error
      assert.equal(suggestion, json.length > 0 ? '--help' : undefined)
    })

  it('stops quietly when its reader goes away', () => {
    const shell = spawnSync('sh', ['-c', '"$@" | true', 'sh', ...ghostportCommand, 'help', 'knock'], {
      encoding: 'utf8',
    })
    assert.equal(shell.stderr, '')
  })
  it('keeps to the exit statuses of the table', () => {
    // From 126 on, a shell reports that it could not start a command, or which signal ended it; 130 is Ctrl-C.
    for (const { exit } of Object.values(failureKinds)) assert.ok((exit > 0 && exit < 126) || exit === 130)
  })
})

describe('ghostport keygen', () => {
  const lengths: [string, number][] = [
    ['md5', 16],
    ['sha1', 20],
    ['sha256', 64],
    ['sha384', 128],
    ['sha512', 128],
    ['sha3_256', 32],
    ['sha3_512', 64],
  ]
  for (const [digest, length] of lengths)
    it(`makes keys of the right length for ${digest}, and never the same twice`, async () => {
      const made = await Promise.all(
        [1, 2].map(() => home.ghostport(['keygen', '--json', '--hmac-digest-type', digest])),
      )
      const [one, two] = made.map(({ stdout }) => JSON.parse(stdout))
      assert.equal(Buffer.from(one.key_base64, 'base64').length, 32)
      assert.equal(Buffer.from(one.hmac_key_base64, 'base64').length, length)
      assert.equal(one.hmac_digest_type, digest)
      assert.ok(one.key_base64 !== two.key_base64 && one.hmac_key_base64 !== two.hmac_key_base64)
    })
  it('prints what both ends paste', async () => {
    const { stdout } = await home.ghostport(['keygen', '--key-len', '16', '--hmac-key-len', '20'])
    assert.match(stdout, /^KEY_BASE64: [A-Za-z0-9+/]{22}==\nHMAC_KEY_BASE64: [A-Za-z0-9+/]{27}=\n$/)
  })
  it('prints a stanza for the client, which the client reads', async () => {
    const { stdout } = await home.ghostport(['keygen', '--rc', '--hmac-digest-type', 'sha512'])
    const rc = home.write('rc', stdout.replace('[NAME]', '[door]').replace(/^(SPA_SERVER +)HOST$/m, '$1127.0.0.1'))
    const knock = await home.ghostport(['knock', '--rc-file', rc, '-n', 'door', '-T'])
    assert.equal(knock.status, 0, knock.stderr)
    assert.match(knock.stdout, /HMAC +sha512, key \[secret\]/)
  })
  it('prints a stanza for the server', async () => {
    const { stdout } = await home.ghostport(['keygen', '--access'])
    assert.match(stdout, /^SOURCE +ANY\nOPEN_PORTS +tcp\/22\nKEY_BASE64 +\S{44}\nHMAC_KEY_BASE64 +\S{88}\n$/)
  })
  it('gives the stanza for the server its name', async () => {
    const { stdout } = await home.ghostport(['keygen', '--access', '--name', 'ada-phone'])
    assert.match(stdout, /^SOURCE +ANY\nNAME +ada-phone\nOPEN_PORTS +tcp\/22\nKEY_BASE64 /)
  })
  it('says of one half that the other needs the same keys', async () => {
    for (const [form, other] of [
      ['--access', 'client'],
      ['--rc', 'server'],
    ] as const) {
      const { stderr } = await home.ghostport(['keygen', form])
      assert.match(
        stderr,
        new RegExp(`^The ${other} needs a stanza with the same two keys: .*keygen --pair.* prints both`),
      )
    }
  })

  const keysOf = (text: string): string[] =>
    [...text.matchAll(/^(?:HMAC_)?KEY_BASE64 +(\S+)$/gm)].map(([, key = '']) => key)

  it('--pair prints both halves, with the same keys, which client and server read', async () => {
    const argv = ['keygen', '--pair', '--server', '127.0.0.1', '--name', 'ada', '--open', 'tcp/22, tcp/443']
    const { stdout, stderr } = await home.ghostport(argv)
    assert.equal(stderr, '')
    const [access = '', rc = '', ...more] = stdout.split('\n\n')
    assert.deepEqual(more, [])
    assert.match(
      access,
      /^# For the server: a stanza of access\.conf\.\nSOURCE +ANY\nNAME +ada\nOPEN_PORTS +tcp\/22,tcp\/443\n/,
    )
    assert.match(rc, /^# For the client: a stanza of ~\/\.fwknoprc.*\n\[127\.0\.0\.1\]\nSPA_SERVER +127\.0\.0\.1\n/)
    assert.equal(keysOf(access).length, 2)
    assert.deepEqual(keysOf(rc), keysOf(access))
    const server = home.write('fwknopd.conf', 'FIREWALL relay;\nCAPTURE udp;\nRELAY 127.0.0.1:1 decoy=reset;\n')
    const checked = await home.ghostport([
      'serve',
      '--exit-parse-config',
      '-c',
      server,
      '-a',
      home.write('access.conf', access),
    ])
    assert.match(checked.stdout, /good: 1 stanza/, checked.stderr)
    const knock = await home.ghostport(['knock', '127.0.0.1', '--rc-file', home.write('pair.rc', rc), '-T'])
    assert.deepEqual([knock.status, knock.stderr], [0, ''])
    assert.match(knock.stdout, /asks for +tcp\/22,tcp\/443 /)
  })
  it('--pair without a server says what to write in its place', async () => {
    const { stdout } = await home.ghostport(['keygen', '--pair'])
    assert.match(stdout, /^# Write your server in place of NAME and HOST\.\n\[NAME\]\nSPA_SERVER +HOST$/m)
  })
  it('--pair -K writes the server’s half, and prints the client’s', async () => {
    const file = join(home.path, 'server-half')
    const { stdout } = await home.ghostport(['keygen', '--pair', '-K', file])
    const access = readFileSync(file, 'utf8')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.match(access, /^SOURCE +ANY$/m)
    assert.doesNotMatch(access, /SPA_SERVER/)
    assert.match(stdout, /^SPA_SERVER /m)
    assert.deepEqual(keysOf(stdout), keysOf(access))
    assert.equal(keysOf(stdout).length, 2)
  })
  it('--pair --json has the keys and both stanzas', async () => {
    const { stdout } = await home.ghostport(['keygen', '--pair', '--json', '--server', 'host.example'])
    const { key_base64, hmac_key_base64, access_conf, fwknoprc } = JSON.parse(stdout)
    for (const text of [access_conf, fwknoprc]) assert.deepEqual(keysOf(text), [key_base64, hmac_key_base64])
    assert.match(fwknoprc, /^\[host\.example\]\n/)
  })
  it('leaves no half-written file where the disk is full', async () => {
    const folder = join(home.path, 'tiny')
    mkdirSync(folder)
    // A file system of one page, full, in a mount namespace that ends with the shell.
    const script = [
      `mount -t tmpfs -o size=4k ghostport-test ${folder}`,
      `head -c 4096 /dev/zero > ${folder}/filler`,
      `"$@" keygen -K ${folder}/keys; echo "status $?"; ls ${folder}`,
    ].join(' && ')
    const { stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', ...ghostportCommand], {
      encoding: 'utf8',
    })
    assert.match(stderr, /tiny\/keys: the disk is full \[CONFIG_UNWRITABLE\]/)
    assert.equal(stdout, 'status 73\nfiller\n')
  })
  it('writes a file for its owner only, and never over another', async () => {
    const file = join(home.path, 'new-keys')
    const first = await home.ghostport(['keygen', '-K', file])
    assert.deepEqual([first.status, first.stdout], [0, ''])
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const text = readFileSync(file, 'utf8')
    const second = await home.ghostport(['keygen', '-K', file])
    assert.equal(second.status, 78)
    assert.equal(readFileSync(file, 'utf8'), text)
  })
})

describe('the prompt for a key', () => {
  /** Types on a real terminal (util-linux’s `script` holds its other end). @returns all that the terminal showed. */
  async function type(
    argv: readonly string[],
    answers: readonly [prompt: RegExp, keys: string | Uint8Array][],
  ): Promise<{ shown: string; status: number | null }> {
    const quoted = [...ghostportCommand, ...argv].map((word) => `'${word}'`).join(' ')
    const env = { PATH: process.env['PATH'], HOME: home.path, LOGNAME: 'ada', NO_COLOR: '1' }
    const terminal = spawn('script', ['-qec', quoted, '/dev/null'], { env, timeout: 120_000 })
    let shown = ''
    const left = [...answers]
    terminal.stdout.setEncoding('utf8').on('data', (chunk) => {
      shown += chunk
      const next = left[0]
      if (next === undefined || !next[0].test(shown)) return
      left.shift()
      terminal.stdin.write(next[1])
    })
    const status = await new Promise<number | null>((resolve) => terminal.once('close', resolve))
    return { shown: shown.replaceAll('\r\n', '\n'), status }
  }
  const argv = ['knock', '-D', '127.0.0.1', '-A', 'tcp/22', '-s', '--no-rc-file', '--use-hmac', '-T']

  it('shows nothing of what is typed, and takes corrections', async () => {
    const { shown, status } = await type(argv, [
      [/Encryption key for 127\.0\.0\.1: $/, 'wrong\x15hunterX\x7f2\r'],
      [/HMAC key for 127\.0\.0\.1: $/, 'latch\r'],
    ])
    assert.equal(status, 0, shown)
    assert.doesNotMatch(shown, /hunter|wrong|latch/)
    assert.match(shown, /^Encryption key for 127\.0\.0\.1: \nHMAC key for 127\.0\.0\.1: \n/)
    assert.match(shown, /Nothing was sent\./)
  })
  it('takes bytes of any encoding, and takes back whole characters', async () => {
    const bytes = Buffer.from('gr\xfc\xdfe', 'latin1')
    const { shown, status } = await type(argv, [
      [/Encryption key for 127\.0\.0\.1: $/, Buffer.concat([bytes, Buffer.from('€\x7f\r')])],
      [/HMAC key for 127\.0\.0\.1: $/, 'lätch\x7f\x7f\x7f\x7fatch\r'],
    ])
    assert.equal(status, 0, shown)
    const wire = /^[A-Za-z0-9+/]{140,}$/m.exec(shown)?.[0] ?? ''
    const envelope = parseEnvelope(Buffer.from(wire), { http: 'off' })
    const [key, hmacKey] = [EncryptionKey.fromBytes(bytes), HmacKey.fromBytes(Buffer.from('latch'))]
    assert.ok(envelope.ok && key.ok && hmacKey.ok, shown)
    const opened = openPacket(envelope.value, {
      encryption: { key: key.value, mode: 'CBC' },
      hmac: { key: hmacKey.value, type: 'sha256' },
    })
    assert.ok(opened.ok, shown)
  })
  it('refuses an empty key', async () => {
    const { shown, status } = await type(argv, [[/Encryption key for 127\.0\.0\.1: $/, '\r']])
    assert.equal(status, 78)
    assert.match(shown, /nothing was typed/)
  })
  it('can be left with Ctrl-C', async () => {
    const { status } = await type(argv, [[/Encryption key for 127\.0\.0\.1: $/, 'abc\x03']])
    assert.equal(status, 130)
  })
})
