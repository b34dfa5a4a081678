/** `ghostport check`, `explain`, `simulate` and `import`: an administrator asks why. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ghostportCommand, Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

home.write('fwknopd.conf', 'ACCESS_FILE access.conf;\nENABLE_IPT_FORWARDING Y;\nENABLE_IPT_LOCAL_NAT Y;\n')
home.write(
  'access.conf',
  [
    'SOURCE ANY',
    'NAME bob',
    'KEY one',
    'HMAC_KEY two',
    'OPEN_PORTS tcp/22',
    'REQUIRE_USERNAME bob',
    '',
    'SOURCE 10.0.0.0/8',
    'NAME inner',
    'KEY one',
    'HMAC_KEY two',
    'NAT_TARGETS 10.1.0.0/16:80',
    'ACCESS_EXPIRE_EPOCH 1900000000',
  ].join('\n'),
)
const FILES = ['-c', 'fwknopd.conf']

/** The text of a packet. */
async function packet(...argv: readonly string[]): Promise<string> {
  const keys = ['--key-rijndael', 'one', '--key-hmac', 'two']
  const knock = ['knock', '-T', '--json', '--no-rc-file', '-D', '127.0.0.1', ...keys, ...argv]
  const { stdout, stderr } = await home.ghostport(knock)
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout).packets[0].packet
}

/** The verdict, and the rules that deny by stanza. */
async function why(...argv: readonly string[]) {
  const { status, stdout, stderr } = await home.ghostport([...argv, ...FILES, '--json'])
  assert.notEqual(stdout, '', stderr)
  const { verdict, stanzas, steps, message } = JSON.parse(stdout)
  type Rule = { what: string; ok: boolean; code: string | null }
  return {
    status,
    verdict,
    message,
    steps: (steps as Rule[]).map(({ what, ok, code }) => `${ok ? 'yes' : code} ${what}`),
    denials: (stanzas as { stanza: string; rules: Rule[] }[]).flatMap(({ stanza, rules }) =>
      rules.filter(({ ok }) => !ok).map(({ code, what }) => `${stanza}: ${code} ${what}`),
    ),
  }
}

describe('ghostport check', () => {
  it('says all that is wrong, with file and line', async () => {
    home.write('bad.conf', 'SOURCE 10.0.0.300\nKEY_BASE64 @@\nHMAC_KEI two\nOPEN_PORTS tcp/0\n')
    const { status, stdout, stderr } = await home.ghostport(['check', ...FILES, '-a', 'bad.conf'])
    assert.deepEqual([status, stdout], [78, ''])
    for (const [line, word] of [
      [1, '10.0.0.300'],
      [2, 'base64'],
      [3, 'HMAC_KEY'],
      [4, 'tcp/0'],
    ] as const)
      assert.match(stderr, new RegExp(`bad\\.conf:${line}: .*${word}`))
    assert.match(stderr, /4 errors/)
    assert.doesNotMatch(stderr, /two/, 'a key may be in that line')
  })
  it('says the same as JSON', async () => {
    const { stdout } = await home.ghostport(['check', ...FILES, '-a', 'bad.conf', '--json'])
    const { ok, errors, policy } = JSON.parse(stdout)
    assert.deepEqual([ok, errors.map(({ line }: { line: number }) => line), policy], [false, [1, 2, 3, 4], undefined])
  })
  it('says that there may be more errors where it stopped looking', async () => {
    home.write('long.conf', `SOURCE ANY\nKEY one\n${'=== no line\n'.repeat(300)}`)
    const files = ['check', ...FILES, '-a', 'long.conf']
    const { status, stderr } = await home.ghostport(files)
    assert.equal(status, 78)
    assert.match(stderr, /200 errors\nthere may be more errors: correct these, then check again\n$/)
    assert.equal(JSON.parse((await home.ghostport([...files, '--json'])).stdout).moreErrors, true)
  })
  it('says that a start would fail for want of a keyring, or of gpg', async () => {
    const stanza = `SOURCE ANY\nGPG_ALLOW_NO_PW Y\nGPG_FINGERPRINT_ID ${'A'.repeat(40)}\nHMAC_KEY two\n`
    for (const [line, detail] of [
      ['GPG_HOME_DIR /nowhere/gnupg', /gnupg\.conf:1: .*GPG_HOME_DIR: \/nowhere\/gnupg: there is no such folder/],
      ['GPG_EXE /nowhere/gpg', /gnupg\.conf:1: .*GPG_EXE: \/nowhere\/gpg is not a program that can be run/],
    ] as const) {
      home.write('gnupg.conf', `${stanza}${line}\n`)
      const { status, stderr } = await home.ghostport(['check', ...FILES, '-a', 'gnupg.conf'])
      assert.match(stderr, detail)
      assert.notEqual(status, 0)
    }
  })
  it('says of all users and groups that are not there', async () => {
    const sudo = 'ENABLE_CMD_EXEC Y\nCMD_EXEC_USER no-user-1\nENABLE_CMD_SUDO_EXEC Y\nCMD_SUDO_EXEC_GROUP no-group-2\n'
    const cycle = 'CMD_CYCLE_OPEN true\nCMD_CYCLE_CLOSE NONE\nCMD_CYCLE_USER no-user-3\n'
    const stanza = 'SOURCE ANY\nKEY one\nHMAC_KEY two\n'
    home.write('accounts.conf', `${stanza}${sudo}${stanza}${cycle}`)
    const { status, stderr } = await home.ghostport(['check', ...FILES, '-a', 'accounts.conf'])
    assert.equal(status, 78)
    const names = [...stderr.matchAll(/no-(?:user|group)-[0-9](?=” in)/g)].map(([name]) => name)
    assert.deepEqual(names, ['no-user-1', 'no-group-2', 'no-user-3'])
  })
  it('warns of programs that are not there', async () => {
    home.write('programs.fwknopd.conf', 'SUDO_EXE /nowhere/sudo;\nHOOK_GRANT no-such-hook;\nHOOK_EXPIRY env;\n')
    const keys = 'KEY one\nHMAC_KEY two\n'
    const cycle = 'CMD_CYCLE_OPEN /nowhere/open $SRC\nCMD_CYCLE_CLOSE echo $SRC\nCMD_CYCLE_TIMER 5\n'
    const sudo = 'ENABLE_CMD_EXEC Y\nENABLE_CMD_SUDO_EXEC Y\nCMD_REGEX id\n'
    home.write('programs.conf', `SOURCE ANY\nNAME doors\n${keys}${cycle}SOURCE ANY\n${keys}${sudo}`)
    const { stderr } = await home.ghostport(['check', '-c', 'programs.fwknopd.conf', '-a', 'programs.conf'])
    const missing = stderr.split('\n').filter((line) => line.includes('cannot be run'))
    assert.deepEqual(
      missing.map((line) => line.replace(/^warning: .*\/(?=programs)|: there is no such .*/g, '')),
      [
        'programs.fwknopd.conf:1: SUDO_EXE: /nowhere/sudo cannot be run',
        'programs.conf:1: stanza doors: CMD_CYCLE_OPEN: /nowhere/open cannot be run',
        'programs.fwknopd.conf:2: HOOK_GRANT: no-such-hook cannot be run',
      ],
    )
  })
  it('shows what each stanza allows, and no key', async () => {
    const { stdout } = await home.ghostport(['check', ...FILES])
    assert.match(
      stdout,
      /stanza bob .*\n {2}packets from +any address\n {2}keys +Rijndael CBC, HMAC sha256\n {2}may open +tcp\/22\n/,
    )
    assert.match(stdout, /stanza inner .*\n {2}packets from +10\.0\.0\.0\/8\n/)
    assert.match(stdout, /NAT may lead to +10\.1\.0\.0\/16 80/)
    assert.doesNotMatch(stdout, /one|two/)
  })
})

describe('ghostport explain', () => {
  it('follows a packet from its bytes to what would be opened', async () => {
    const text = await packet('-A', 'tcp/22', '-a', '192.0.2.1', '--spoof-user', 'bob', '-f', '60')
    const { status, steps, verdict, message } = await why('explain', text)
    assert.deepEqual(steps, [
      'yes length and alphabet',
      'yes keys of stanza bob, stanza inner: HMAC',
      'yes keys of stanza bob, stanza inner: decryption',
      'yes keys of stanza bob, stanza inner: digest and fields',
      'yes age (MAX_SPA_PACKET_AGE)',
    ])
    assert.deepEqual([message.kind, message.timeout, message.username], ['access', 60, 'bob'])
    assert.deepEqual(verdict, { granted: true, stanza: 'stanza bob', what: 'opens tcp/22 for 192.0.2.1, 60 s' })
    assert.equal(status, 0)
  })
  it('names each rule that denies, and the reason that the server would log', async () => {
    const text = await packet('-A', 'tcp/23', '-s', '--spoof-user', 'eve')
    const { status, denials, verdict } = await why('explain', text, '--from', '192.0.2.1')
    assert.deepEqual(denials, [
      'stanza bob: ACCESS_USERNAME_DENIED REQUIRE_USERNAME',
      'stanza bob: ACCESS_PORT_DENIED OPEN_PORTS, RESTRICT_PORTS',
    ])
    assert.deepEqual([status, verdict.granted, verdict.code], [1, false, 'ACCESS_USERNAME_DENIED'])
  })
  it('asks the stanzas that are for the source', async () => {
    const text = await packet('-A', 'tcp/23', '-s', '--spoof-user', 'eve')
    const { verdict } = await why('explain', text, '--from', '10.2.3.4')
    assert.deepEqual([verdict.granted, verdict.stanza], [true, 'stanza inner'])
  })
  it('judges the age at the time that is given', async () => {
    const text = await packet('-A', 'tcp/22', '-a', '192.0.2.1', '--spoof-user', 'bob')
    const { steps, verdict } = await why('explain', text, '--at', '2030-01-01T00:00:00Z')
    assert.equal(steps.at(-1), 'SPA_STALE age (MAX_SPA_PACKET_AGE)')
    assert.equal(verdict.code, 'SPA_STALE')
  })
  it('says which keys do not open it, and how far it came', async () => {
    const text = await packet('-A', 'tcp/22', '-s')
    const changed = `${text.slice(0, 40)}${text[40] === 'A' ? 'B' : 'A'}${text.slice(41)}`
    const { status, steps, verdict } = await why('explain', changed)
    assert.deepEqual(steps, ['yes length and alphabet', 'SPA_HMAC_MISMATCH keys of stanza bob, stanza inner: HMAC'])
    assert.deepEqual([status, verdict], [1, null])
  })
  it('says what is no packet', async () => {
    const { status, steps } = await why('explain', 'hello')
    assert.deepEqual([status, steps], [1, ['SPA_LENGTH length and alphabet']])
  })
  it('asks for the source of a packet that names none', async () => {
    const { status, stderr } = await home.ghostport(['explain', '-', ...FILES], {
      input: `${await packet('-A', 'tcp/22', '-s')}\n`,
    })
    assert.equal(status, 1)
    assert.match(stderr, /--from ADDRESS/)
  })
  it('shows no byte of a message that a terminal would act on', async () => {
    const text = await packet('-C', 'a\u001b]0;b\u0007\u202ec', '-a', '192.0.2.1', '--spoof-user', 'bob')
    const { stdout } = await home.ghostport(['explain', text, ...FILES])
    assert.match(stdout, /to run: a\\x1b\]0;b\\x07\\u\{202e\}c\n/)
  })
  it('refuses a time and an address that are none', async () => {
    for (const [option, value] of [
      ['--at', 'soon'],
      ['--at', '2026-13-45T00:00:00Z'],
      ['--from', '10.0.0.300'],
    ] as const) {
      const { status, stderr } = await home.ghostport(['explain', 'x', option, value, ...FILES])
      assert.equal(status, 64, stderr)
      assert.match(stderr, new RegExp(`${option}: .*${value.slice(0, 6)}`))
    }
  })
  it('does not look at a packet as root', { skip: process.getuid?.() !== 0 && 'is about root' }, async () => {
    const [program = '', ...words] = [...ghostportCommand, 'explain', '-', ...FILES]
    const child = spawn(program, words, { cwd: home.path, stdio: ['pipe', 'ignore', 'ignore'] })
    try {
      const uid = () => /^Uid:\t(\d+)\t(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.slice(1)
      for (const deadline = Date.now() + 10_000; Date.now() < deadline && uid()?.[0] === '0'; ) await delay(20)
      assert.deepEqual(uid(), ['65534', '65534'])
    } finally {
      child.stdin.end('x')
      await once(child, 'exit')
    }
  })
})

describe('ghostport simulate', () => {
  it('judges a request without a packet', async () => {
    const asked = ['simulate', '--from', '192.0.2.1', '-A', 'tcp/22']
    const granted = await why(...asked, '--user', 'bob')
    assert.deepEqual(
      [granted.status, granted.verdict],
      [0, { granted: true, stanza: 'stanza bob', what: 'opens tcp/22 for 192.0.2.1, 30 s' }],
    )
    const denied = await why(...asked, '--stanza', 'bob', '--user', 'eve')
    assert.deepEqual([denied.status, denied.denials], [1, ['stanza bob: ACCESS_USERNAME_DENIED REQUIRE_USERNAME']])
  })
  it('shows the SPA port of a stanza: as “check” does, and beside the rule', async () => {
    const own = 'SOURCE ANY\nNAME eve\nSPA_PORT 20017\nKEY three\nHMAC_KEY four\nOPEN_PORTS tcp/22\n'
    home.write('own.conf', own)
    const files = ['-c', 'fwknopd.conf', '-a', 'own.conf']
    assert.match((await home.ghostport(['check', ...files])).stdout, /packets to port +udp 20017 \(SPA_PORT\)/)
    const asked = ['simulate', '--from', '192.0.2.1', '-A', 'tcp/22', '--stanza', 'eve', ...files]
    const { stdout } = await home.ghostport(asked)
    assert.match(stdout, /yes {2}SPA_PORT: allows it: this stanza takes packets to udp 20017$/m)
    assert.notEqual((await home.ghostport([...asked, '--port', '62201'])).status, 0)
  })
  it('judges NAT, and stanzas that end', async () => {
    const nat = ['simulate', '--from', '10.2.3.4', '--stanza', 'INNER', '-A', 'tcp/80', '--user', 'eve']
    assert.equal((await why(...nat, '-N', '10.1.0.5')).verdict.what, 'opens tcp/80→10.1.0.5:80 for 10.2.3.4, 30 s')
    const elsewhere = await why(...nat, '-N', '10.9.0.5')
    assert.deepEqual(
      elsewhere.denials.filter((denial) => denial.startsWith('stanza inner')),
      ['stanza inner: ACCESS_NAT_TARGET_DENIED FORCE_NAT, NAT_TARGETS, ENABLE_NAT_DNS'],
    )
    const later = await why(...nat, '-N', '10.1.0.5', '--at', '1900000000')
    assert.ok(later.denials.includes('stanza inner: ACCESS_EXPIRED ACCESS_EXPIRE'))
  })
  it('says what is missing, and the nearest stanza', async () => {
    const cases: readonly (readonly [RegExp, ...string[]])[] = [
      [/--from ADDRESS/, '--stanza', 'bob', '-A', 'tcp/22'],
      [/--stanza NAME/, '--from', '192.0.2.1', '-A', 'tcp/22'],
      [/no stanza requires the user “eve”/, '--from', '192.0.2.1', '--user', 'eve', '-A', 'tcp/22'],
      [/perhaps: --stanza inner/, '--from', '192.0.2.1', '--stanza', 'iner', '-A', 'tcp/22'],
      [/--access tcp\/22/, '--from', '192.0.2.1', '--stanza', 'bob'],
    ]
    for (const [message, ...argv] of cases) {
      const { status, stderr } = await home.ghostport(['simulate', ...argv, ...FILES])
      assert.equal(status, 64, stderr)
      assert.match(stderr, message)
    }
  })
})

describe('ghostport import', () => {
  const old = 'ACCESS_FILE old-access.conf;\nPCAP_LOOP_SLEEP 1000;\nENABLE_IPT_FORWARDING N;\n'
  it('takes a set-up that needs no change, and says what works differently', async () => {
    home.write('old.conf', old)
    home.write('old-access.conf', 'SOURCE ANY\nKEY one\nHMAC_KEY two\nFW_ACCESS_TIMEOUT 600\n')
    const { status, stdout, stderr } = await home.ghostport(['import', '-c', 'old.conf'])
    assert.equal(status, 0, stderr)
    assert.match(stdout, /must change .*\n {2}nothing\n/)
    assert.match(stdout, /the server, listens\n +fwknopd: +on eth0, udp 62201\n +ghostport: on all interfaces/)
    assert.match(stdout, /old\.conf:2: PCAP_LOOP_SLEEP has no effect/)
    assert.match(stdout, /FW_ACCESS_TIMEOUT is above MAX_FW_TIMEOUT/)
    assert.match(stdout, /--dry-run/)
  })
  it('fails where something must change, and names all of it', async () => {
    home.write('old.conf', `${old}NONSENSE 1;\n`)
    home.write('old-access.conf', 'SOURCE ANY\nKEY one\nHMAC_KEY one\nENABLE_CMD_EXEC true\n')
    const { status, stdout } = await home.ghostport(['import', '-c', 'old.conf', '--json'])
    const { ok, mustChange, dropIn } = JSON.parse(stdout)
    assert.deepEqual(
      [ok, mustChange.map(({ line, code }: { line: number; code: string }) => `${line} ${code}`)],
      [false, ['4 CONFIG_UNKNOWN_KEY', '3 CONFIG_CONFLICT', '4 CONFIG_INVALID_VALUE']],
    )
    assert.notEqual(status, 0)
    assert.equal(dropIn.ok, false, 'the same key twice')
  })
  it('reads the file of the client too: each stanza, and who may read it', async () => {
    home.write('old.conf', old)
    home.write('old-access.conf', 'SOURCE ANY\nKEY one\nHMAC_KEY two\n')
    const rc = '[default]\nSPA_SERVER_PROTO tcp\n[door]\nSPA_SERVER 192.0.2.1\nKEY one\n'
    home.write('rc', rc)
    const imported = async (...argv: readonly string[]) => {
      const { status, stdout } = await home.ghostport(['import', '-c', 'old.conf', '--json', ...argv])
      return { status, ...JSON.parse(stdout) }
    }
    const good = await imported('--rc-file', 'rc')
    assert.deepEqual([good.status, good.client], [0, { file: 'rc', stanzas: ['door'], mustChange: [] }])
    assert.equal((await imported()).client, undefined, 'this user has none')
    home.write('.fwknoprc', `${rc}[other]\nSPA_SERVR x\n[third]\nRAND_PORT 1\n`)
    const bad = await imported()
    assert.deepEqual(
      bad.client.mustChange.map(({ line, code }: { line: number; code: string }) => `${line} ${code}`),
      ['7 CONFIG_UNKNOWN_KEY', '9 CONFIG_INVALID_VALUE'],
    )
    assert.ok(bad.status !== 0 && bad.ok === false && bad.mustChange.length === 0)
    home.write('rc', rc, 0o644)
    const exposed = await imported('--rc-file', 'rc')
    assert.deepEqual([exposed.client.mustChange[0].code, exposed.ok], ['CONFIG_EXPOSED', false])
    const absent = await imported('--rc-file', 'no-such-file')
    assert.equal(absent.client.mustChange[0].code, 'CONFIG_UNREADABLE')
    home.write('.fwknoprc', rc)
  })
  it('says what the files need and this host does not have', async () => {
    home.write('old.conf', `${old}PCAP_INTF no-such-if0;\nSUDO_EXE /no/sudo;\nHOOK_GRANT /no/sendmail root;\n`)
    home.write(
      'old-access.conf',
      [
        ...['SOURCE ANY', 'KEY one', 'HMAC_KEY two', 'ENABLE_CMD_EXEC Y', 'ENABLE_CMD_SUDO_EXEC Y'],
        ...['CMD_EXEC_USER no-such-user', 'SOURCE ANY', 'GPG_HOME_DIR /no/home', 'GPG_EXE /no/gpg'],
        ...['GPG_ALLOW_NO_PW Y', 'GPG_DISABLE_SIG Y', ''],
      ].join('\n'),
    )
    const { stdout } = await home.ghostport(['import', '-c', 'old.conf', '--json'])
    const { host, mustChange } = JSON.parse(stdout)
    assert.deepEqual(mustChange, [])
    const refused = host.refusals.map(({ detail }: { detail: string }) => detail).join('\n')
    assert.match(refused, /CMD_EXEC_USER: there is no user “no-such-user”/)
    assert.match(refused, /GPG_EXE: \/no\/gpg/)
    const told = host.notices.map(({ text }: { text: string }) => text).join('\n')
    for (const lack of [/no-such-if0/, /SUDO_EXE: \/no\/sudo/, /HOOK_GRANT: \/no\/sendmail/]) assert.match(told, lack)
    const { stdout: text } = await home.ghostport(['import', '-c', 'old.conf'])
    assert.match(text, /What a start would say of this host, now\n.*no-such-user/)
  })
})
