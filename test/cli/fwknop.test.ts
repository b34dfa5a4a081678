/** `fwknop` as a person or a script runs it. What it sends is in test/interop/fwknop-client.test.ts. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gnupgKeys, keyringFor } from '../support/gnupg.ts'
import { fwknopCommand, Home } from './ghostport.ts'

const KEYS = ['--key-rijndael', 'one', '--key-hmac', 'two']
const TEST = ['-A', 'tcp/22', '-s', '-D', '127.0.0.1', '-T', ...KEYS]

describe('fwknop', () => {
  let home: Home
  before(() => {
    home = new Home()
  })
  after(() => home[Symbol.dispose]())
  const read = (name: string): string => readFileSync(join(home.path, name), 'utf8')

  it('makes an rc file that only its user can read, once', async () => {
    const first = await home.fwknop(TEST)
    assert.equal(first.status, 0, first.stderr)
    assert.match(first.stdout, /^\[\*\] Creating initial rc file: .*\/\.fwknoprc\.$/m)
    assert.equal(statSync(join(home.path, '.fwknoprc')).mode & 0o777, 0o600)
    const second = await home.fwknop(TEST)
    assert.doesNotMatch(second.stdout, /Creating/)
    // Its examples are comments, and understood once they are not.
    const used = read('.fwknoprc')
      .replaceAll(/^#(?=[A-Z[])/gm, '')
      .replaceAll(/^.*_BASE64.*\n/gm, '')
    const rc = home.write('example', `${used}KEY one\nHMAC_KEY two\n`)
    assert.equal((await home.fwknop(['--rc-file', rc, '-n', 'myssh', '-T'])).status, 0)
  })

  it('saves its command line without the keys, and runs it again', async () => {
    await home.fwknop([...TEST, '-U', 'ada lovelace'])
    assert.equal(statSync(join(home.path, '.fwknop.run')).mode & 0o777, 0o600)
    assert.equal(read('.fwknop.run'), "fwknop -A tcp/22 -s -D 127.0.0.1 -T -U 'ada lovelace'\n")
    const shown = await home.fwknop(['--show-last'])
    assert.equal(shown.stdout, `Last fwknop client command line: ${read('.fwknop.run')}`)
    const again = await home.fwknop(['-l', '--verbose'])
    assert.equal(again.status, 1)
    assert.match(again.stderr, /Encryption key for 127\.0\.0\.1 cannot be asked for/)

    await home.fwknop([...TEST, '--include-keys'])
    assert.match(read('.fwknop.run'), /--key-rijndael one/)
    const withKeys = await home.fwknop(['-lv'])
    assert.equal(withKeys.status, 0, withKeys.stderr)
    assert.match(withKeys.stdout, /^Executing: fwknop -A tcp\/22[\s\S]*Message String: 0\.0\.0\.0,tcp\/22/)
  })

  it('knocks though no file can be made in the home directory', async () => {
    const [node = '', ...words] = fwknopCommand
    const at = ['env', 'HOME=/proc', node, ...words, ...TEST.filter((word) => word !== '-T')]
    const { status, stderr } = await home.run(at)
    assert.equal(status, 0, stderr)
    assert.match(stderr, /^Unable to create initial rc file: .*\nfwknop: the command line is not saved: /)
  })

  it('saves nothing where that is not wanted', async () => {
    const kept = read('.fwknop.run')
    const rc = home.write('no-save', '[default]\nNO_SAVE_ARGS Y\n')
    for (const words of [['--no-save-args'], ['--rc-file', rc]])
      assert.equal((await home.fwknop([...TEST, '-U', 'other', ...words])).status, 0)
    assert.equal((await home.fwknop([...TEST, '-U', 'other', '-E', 'elsewhere'])).status, 0)
    assert.equal(read('.fwknop.run'), kept)
    assert.match(read('elsewhere'), /-E elsewhere/)
    const homeless = await home.fwknop([...TEST, '--no-home-dir', '--no-rc-file'])
    assert.equal(homeless.status, 1)
    assert.match(homeless.stderr, /must set the args save file path with -E/)
    const content = { missing: undefined, empty: '', foreign: 'rm -rf /\n', itself: 'fwknop -l\n' }
    for (const [name, text] of Object.entries(content)) {
      if (text !== undefined) home.write(name, text)
      const { status } = await home.fwknop(['-l', '-E', join(home.path, name)])
      assert.equal(status, 1, name)
    }
  })

  it('takes the key of the rc file, and not the file of keys of the command line', async () => {
    const rc = home.write('rc-with-keys', '[default]\nKEY one\nHMAC_KEY two\n')
    const ask = ['-A', 'tcp/22', '-s', '-D', '127.0.0.1', '-T', '--no-save-args', '--rc-file', rc]
    const { status, stdout, stderr } = await home.fwknop([...ask, '-G', 'missing', '--get-hmac-key', 'missing-too'])
    assert.equal(status, 0, stderr)
    assert.match(stdout, /HMAC Type: 3 \(SHA256\)/)
    assert.deepEqual(stderr.match(/WARNING: --\S+ \S+/g), [
      'WARNING: --get-key missing',
      'WARNING: --get-hmac-key missing-too',
    ])
    const other = home.write('rc-without-hmac', '[default]\nKEY one\n')
    const wanting = await home.fwknop([...ask.slice(0, -1), other, '--get-hmac-key', 'missing-too'])
    assert.equal(wanting.status, 1)
    assert.match(wanting.stderr, /missing-too: there is no such file/)
  })

  it('judges the command line before the rc file', async () => {
    const rc = home.write('rc-wrong', '[default]\nSPOOF_SOURCE_IP nowhere\n')
    const { status, stderr } = await home.fwknop([
      ...TEST,
      '-P',
      'pigeon',
      '--rc-file',
      rc,
      '--save-rc-stanza',
      '-n',
      'default',
    ])
    assert.equal(status, 1)
    assert.match(stderr, /^Unrecognized protocol: pigeon$/m)
    assert.doesNotMatch(stderr, /SPOOF_SOURCE_IP/)
  })

  it('writes a stanza, and keeps all other lines', async () => {
    const rc = home.write('rc', '# mine\n[a]\nKEY x # old\n\n[b]\nACCESS tcp/1\n# end\n')
    const saved = await home.fwknop([...TEST, '--rc-file', rc, '-n', 'b', '--save-rc-stanza', '-vv'])
    assert.equal(saved.status, 0, saved.stderr)
    assert.match(saved.stdout, /Updating param KEY to \[secret\]\n/)
    assert.equal(
      read('rc').replaceAll(/ +/g, ' '),
      '# mine\n[a]\nKEY x # old\n\n[b]\nACCESS tcp/22\nSPA_SERVER 127.0.0.1\nKEY one\nHMAC_KEY two\nVERBOSE 2\nALLOW_IP 0.0.0.0\nUSE_HMAC Y\n# end\n',
    )
    assert.equal((await home.fwknop(['--rc-file', rc, '-n', 'B', '-T'])).status, 0, 'and it is read back')
    const more = ['--hmac-digest-type', 'sha512', '-P', 'TCP', '--time-offset-minus', '1D']
    const told = await home.fwknop([...TEST, ...more, '--rc-file', rc, '-n', 'more', '--save-rc-stanza', '-vv'])
    assert.match(told.stdout, /Updating param HMAC_DIGEST_TYPE to SHA512\n/)
    assert.match(told.stdout, /Updating param HMAC_KEY to \[secret\]\n/)
    for (const row of ['HMAC_DIGEST_TYPE SHA512', 'USE_HMAC Y', 'SPA_SERVER_PROTO tcp', 'TIME_OFFSET -86400'])
      assert.match(read('rc').replaceAll(/ +/g, ' '), new RegExp(`\\[more\\][^[]*^${row}$`, 'm'))
    const listed = await home.fwknop(['--rc-file', rc, '--stanza-list'])
    assert.equal(listed.stdout, `The following stanzas are configured in ${rc} :\n - a\n - b\n - more\n`)
  })

  it('asks before it replaces a key, and the end of the input is a no', async () => {
    const text = '[x]\nKEY old\nHMAC_KEY older\n'
    const save = ['--save-rc-stanza', '-n', 'x', '-T', '-D', '127.0.0.1', '-A', 'tcp/22', '-s', ...KEYS]
    for (const [input, key, hmac] of [
      ['', 'old', 'older'],
      ['y\n', 'one', 'older'],
      ['n\ny\n', 'old', 'two'],
    ] as const) {
      const rc = home.write('asked', text)
      const { stdout } = await home.fwknop([...save, '--rc-file', rc], { input })
      assert.match(stdout, /Variable 'KEY' found in stanza 'x'\. Overwrite \[N\/y\] \?/)
      assert.match(read('asked'), new RegExp(`^KEY\\s+${key}$[\\s\\S]*^HMAC_KEY\\s+${hmac}$`, 'm'))
    }
    const rc = home.write('forced', text)
    const forced = await home.fwknop([...save, '--rc-file', rc, '--force-stanza'])
    assert.doesNotMatch(forced.stdout, /Overwrite/)
    assert.match(read('forced'), /^KEY\s+one$/m)
  })

  it('writes nothing that it could not read back, and follows a link', async () => {
    const text = '[x]\nACCESS tcp/1\n'
    const rc = home.write('bad', text)
    symlinkSync(rc, join(home.path, 'link'))
    const save = [
      '--rc-file',
      join(home.path, 'link'),
      '--save-rc-stanza',
      '-D',
      '127.0.0.1',
      '-T',
      '-s',
      '-A',
      'tcp/22',
    ]
    for (const [words, expected] of [
      [['-n', 'x', '--key-rijndael', 'a b'], /would cut it: nothing was written — perhaps: --key-base64-rijndael/],
      [['-n', 'x]y', ...KEYS], /cannot be the name of a stanza/],
      [['-n', 'x', ...KEYS, '-f', 'soon'], /--fw-timeout/],
      [['-n', 'x', ...KEYS, '-m', 'sha9'], /^Invalid digest type: sha9/],
    ] as const) {
      const { status, stderr } = await home.fwknop([...save, ...words])
      assert.equal(status, 1)
      assert.match(stderr, expected)
      assert.equal(read('bad'), text)
    }
    assert.equal((await home.fwknop([...save, '-n', 'x', ...KEYS])).status, 0)
    assert.match(read('bad'), /KEY\s+one/, 'the file that the link leads to is written')
  })

  it('makes keys', async () => {
    const printed = await home.fwknop(['-k'])
    assert.match(printed.stdout, /^KEY_BASE64: [A-Za-z0-9+/]{43}=\nHMAC_KEY_BASE64: [A-Za-z0-9+/]{86}==\n$/)
    const filed = await home.fwknop(['--key-gen-file', 'keys', '--key-len', '16'])
    assert.equal(filed.stdout, '[+] Wrote Rijndael and HMAC keys to: keys\n')
    assert.equal(statSync(join(home.path, 'keys')).mode & 0o777, 0o600)
    const rc = home.write('for-keys', '')
    const stanza = await home.fwknop(['-k', '--save-rc-stanza', '-D', 'host', '-n', 'new', '--rc-file', rc])
    assert.equal(stanza.stdout, `[+] Wrote Rijndael and HMAC keys to rc file: ${rc}\n`)
    assert.match(read('for-keys'), /^\[new\]\nSPA_SERVER +host\nKEY_BASE64 +\S{44}\nHMAC_KEY_BASE64 +\S{88}\n$/)
    assert.equal((await home.fwknop(['-k', '--key-len', '33'])).status, 1)
  })

  it('saves packets, one a line', async () => {
    const packet = async (...words: string[]): Promise<string> => {
      const { stdout, stderr } = await home.fwknop([...TEST, '-B', 'packet', ...words])
      assert.equal(stderr, '')
      return /Final SPA Data: (.*)/.exec(stdout)?.[1] ?? ''
    }
    await packet()
    const first = await packet()
    const second = await packet('-b')
    assert.equal(read('packet'), `${first}\n${second}\n`)
    assert.equal(statSync(join(home.path, 'packet')).mode & 0o777, 0o600)
    const lost = await home.fwknop([...TEST, '-B', 'no/such/folder'])
    assert.equal(lost.status, 1)
  })

  it('asks for keys from a descriptor', async () => {
    const words = ['-A', 'tcp/22', '-s', '-D', '127.0.0.1', '-T', '--use-hmac']
    assert.equal((await home.fwknop([...words, '--stdin'], { input: 'one\ntwo\n' })).status, 0)
    assert.equal((await home.fwknop([...words, '--fd', '3'], { descriptor3: 'one\ntwo\n' })).status, 0)
    assert.equal((await home.fwknop([...words, '--stdin'], { input: 'one\n' })).status, 1)
  })

  it('saves no options that contradict each other', async () => {
    const text = '[x]\nSPA_SERVER_PROTO udpraw\n'
    const rc = home.write('contradiction', text)
    const save = [...TEST, '--rc-file', rc, '--save-rc-stanza', '-n', 'x', '-Q', '192.0.2.1']
    const { status, stderr } = await home.fwknop([...save, '-P', 'tcp'])
    assert.equal(status, 1)
    assert.match(stderr, /^Must set -P <udpraw\|tcpraw\|icmp>/)
    assert.equal(read('contradiction'), text)
    assert.equal((await home.fwknop(save)).status, 0, 'with the transport of the stanza, they do not')
    assert.match(read('contradiction'), /^SPOOF_SOURCE_IP +192\.0\.2\.1$/m)
  })

  it('dates a packet by +1H of the rc file', async () => {
    const rc = home.write('late', '[default]\nTIME_OFFSET +1H\n')
    const { stdout } = await home.fwknop([...TEST, '--rc-file', rc])
    const ahead = Number(/Timestamp: ([0-9]+)/.exec(stdout)?.[1]) - Date.now() / 1000
    assert.ok(Math.abs(ahead - 3600) < 60, `${ahead} s ahead`)
  })

  describe('with GnuPG', () => {
    const knock = ['-A', 'tcp/22', '-s', '-D', '127.0.0.1', '-T', '-v', '--gpg-signer-key', 'client25519@spa.test']
    const toServer = [...knock, '--gpg-recipient-key', 'server2048@spa.test']
    const passphrase = ['--get-key', 'passphrase']
    before(() => home.write('passphrase', '127.0.0.1: open sesame\n'))

    it('takes the passphrase from a key file, and the keyring from a relative path', async (t) => {
      const keyring = keyringFor(t, ['server2048'])
      keyring.gpg('--passphrase', 'open sesame', '--pinentry-mode', 'loopback', '--quick-gen-key', 'locked@x.test')
      execFileSync('gpgconf', ['--homedir', keyring.home, '--kill', 'gpg-agent'])
      const words = [
        ...toServer,
        '--gpg-signer-key',
        'locked@x.test',
        '--gpg-home-dir',
        relative(home.path, keyring.home),
      ]
      const asking = await home.fwknop(words)
      assert.equal(asking.status, 1)
      assert.match(asking.stderr, /Passphrase of the GnuPG key locked@x\.test cannot be asked for/)
      home.write('wrong', '127.0.0.1: sesame\n')
      const wrong = await home.fwknop([...words, '--get-key', 'wrong'])
      assert.match(wrong.stderr, /the passphrase of “locked@x\.test” is wrong/)
      const { status, stdout, stderr } = await home.fwknop([...words, ...passphrase])
      assert.equal(status, 0, stderr)
      assert.match(stdout, /Dump of the Decoded Data\n[\s\S]*GPG sig verify: Yes\n +GPG sig ID: [0-9A-F]{8}\n/)
    })

    it('says who signed a packet, once it is decrypted again', async (t) => {
      const keyring = keyringFor(t, ['server2048', 'client25519'])
      const { stdout } = await home.fwknop([...toServer, ...passphrase, '--gpg-home-dir', keyring.home])
      const [made = '', again = ''] = stdout.split('Dump of the Decoded Data')
      assert.match(made, /GPG signer: client25519@spa\.test\n +GPG recipient: server2048@spa\.test\n/)
      assert.doesNotMatch(made, /GPG sig v/)
      assert.match(again, new RegExp(`GPG sig fpr: ${gnupgKeys.client25519.primary}\\n`))
      assert.match(again, /Message String: 0\.0\.0\.0,tcp\/22\n/)
    })

    it('says that the packet is for a key elsewhere', async (t) => {
      const keyring = keyringFor(t, ['server2048', 'client25519'])
      keyring.gpg('--yes', '--delete-secret-keys', gnupgKeys.server2048.primary)
      const { status, stdout, stderr } = await home.fwknop([...toServer, ...passphrase, '--gpg-home-dir', keyring.home])
      assert.equal(status, 0, stderr)
      assert.match(stderr, /^GPG ERR: No access to recipient private key\?\nThe packet is not decrypted again: /m)
      assert.doesNotMatch(stdout, /Decoded/)
    })

    it('says in the words of fwknop that the packet is too long', async (t) => {
      const keyring = keyringFor(t, ['server4096'])
      keyring.gpg('--passphrase', '', '--quick-gen-key', 'large@x.test', 'rsa4096')
      const words = [...toServer, '--gpg-recipient-key', 'server4096@spa.test', '--gpg-signer-key', 'large@x.test']
      const { status, stderr } = await home.fwknop([...words, '--gpg-no-signing-pw', '--gpg-home-dir', keyring.home])
      assert.equal(status, 1)
      assert.match(stderr, /^Args contain invalid data: FKO_ERROR_\w+\n.*at most 1500: sign with an ed25519 key/)
    })

    it('says which file is missing', async () => {
      const folder = await home.fwknop([...toServer, ...passphrase, '--gpg-home-dir', 'nowhere'])
      assert.match(folder.stderr, /^Unable to stat the given GPG home directory\n.*: there is no folder .*\/nowhere \[/)
      const program = await home.fwknop([...toServer, ...passphrase, '--gpg-home-dir', '.', '--gpg-exe', './nothing'])
      assert.match(program.stderr, /^Unable to stat the given GPG executable\n.*\/nothing cannot be started/)
      assert.equal(program.status, 1)
    })
  })

  const refused: [words: string, says: RegExp][] = [
    ['-A tcp/22 -s', /^Must use --destination unless --test mode is used\n/],
    ['-A tcp/22 -D 127.0.0.1', /^Must use one of \[-s\|-R\|-a\]/],
    ['-D 127.0.0.1', /^Must use one of \[-s\|-R\|-a\]/],
    ['-D 127.0.0.1 -s', /^Invalid SPA access message/],
    ['--key-len 33 -A tcp/22 -s -D 127.0.0.1 --key-rijndael a', /--key-len 33: the key of --key-rijndael has 1 bytes/],
    ['--hmac-key-len 0 -A tcp/22 -s -D 127.0.0.1 --key-rijndael a', /--hmac-key-len is for --key-gen/],
    ['-M PCBC -A tcp/22 -s -D 127.0.0.1', /^Invalid encryption mode: PCBC\n/],
    ['-N 192.0.2.1:99999 -A tcp/22 -s -D 127.0.0.1', /^Invalid port value in -N arg/],
    ['--fd 100 -A tcp/22 -s -D 127.0.0.1', /^Bad file descriptor/],
    ['--save-rc-stanza --rc-file rc-bad -n x -D host', /^Parameter error in rc-bad, line 2/],
    ['-A tcp/22 -s 192.0.2.1 -D 127.0.0.1', /unexpected argument “192\.0\.2\.1”: -s takes no value/],
    ['-A tcp/22 -a 1.2.3 -D 127.0.0.1', /^Invalid allow IP/],
    ['-A invalid/22 -s -D 127.0.0.1', /^Invalid SPA access message/],
    ['-A tcp/600001 -s -D 127.0.0.1', /^Invalid SPA access message/],
    ['-D nosuch.invalid -A tcp/22 -s --key-rijndael a', /^send_spa_packet: packet not sent/],
    ['-n none', /^Named configuration stanza: \[none\] was not found/],
    ['-n none --no-rc-file', /Cannot set stanza name in --no-rc-file mode/],
    ['--save-rc-stanza --no-rc-file', /Cannot save an rc stanza in --no-rc-file mode/],
    ['--stanza-list --no-rc-file', /Cannot list stanzas in --no-rc-file mode/],
    ['--no-home-dir -A tcp/22', /must set --rc-file path/],
    ['-G not/there -A tcp/22 -s -D 127.0.0.1', /^Could not open/],
    ['-P upd', /^Unrecognized protocol/],
    ['--key-base64-rijndael ! -A tcp/22 -s -D 127.0.0.1', /look like base64/],
    ['--key-rijndael a --key-hmac a -A tcp/22 -s -D 127.0.0.1', /should not be identical/],
    ['-A tcp -s -D 127.0.0.1', /^Invalid SPA access message format: Expecting <proto>\/<port> for -A arg\.\n/],
    ['-s -D 127.0.0.1', /^Invalid SPA access message/],
    [
      '--nat-local --nat-port 80 -A tcp/22,udp/53 -s -D 127.0.0.1',
      /^NAT for multiple ports.*\n.*forwards one port only/,
    ],
    ['-A tcp/22 -s -D 127.0.0.1 -N 192.0.2.1:99999', /^Invalid port value in -N arg/],
    ['-A tcp/22 -s -D 127.0.0.1 -P udpraw -Q nowhere', /^Invalid spoof IP/],
    ['-A tcp/22 -s -D 127.0.0.1 -P tcp -Q 192.0.2.1 --key-rijndael a', /^Must set -P <udpraw\|tcpraw\|icmp>/],
    ['-A tcp/22 -s -D 127.0.0.1 -P icmp --icmp-type 9999', /^Invalid icmp type: 9999/],
    [
      '-A tcp/22 -s -D 127.0.0.1 -M legacy --key-rijndael a --key-hmac b',
      /^Legacy encryption mode is incompatible with HMAC/,
    ],
    ['-A tcp/22 -s -D 127.0.0.1 -M none', /^Invalid encryption mode: none/],
    ['-A tcp/22 -s -D 127.0.0.1 -p 99999', /^Value 99999 out of range/],
    ['-A tcp/22 -s -D 127.0.0.1 --fd -1', /^Value -1 out of range/],
    ['-A tcp/22 -R -D 127.0.0.1 --resolve-url ftp://127.0.0.1/', /^Error parsing resolve URL/],
    ['-A tcp/22 -D 127.0.0.1 --resolve-url http://127.0.0.1:1/ --key-rijndael a', /^Could not resolve IP/],
    ['-A tcp/22 -s -D 127.0.0.1 -H 127.0.0.1 -P udp --key-rijndael a', /^Cannot set --http-proxy with a non-HTTP/],
    ['-C ls -D 127.0.0.1 -R --resolve-url http://127.0.0.1:1/ --key-rijndael a', /^Could not resolve IP/],
    ['-A tcp/22 -s -D 127.0.0.1 --time-offset-plus soon', /^Invalid time offset/],
    ['-A tcp/22 -s -D 127.0.0.1 --key-rijndael abc --key-len 4', /the key of --key-rijndael has 3 bytes/],
    ['-A tcp/22 -s -D 127.0.0.1 --hmac-key-len 4', /--hmac-key-len is for --key-gen/],
    ['--rc-file rc-loud -A tcp/22', /^Parameter error in rc-loud, line 2\n.*VERBOSE/],
    ['-A tcp/22 -s -D 127.0.0.1 -f -2', /^--fw-timeout must be within \[0-65535\]\n/],
    [
      '-A tcp/22 -R -D 127.0.0.1 --resolve-http-only --resolve-url https://x/ --key-rijndael a',
      /^https is not supported/,
    ],
    [`-A tcp/22 -R -D 127.0.0.1 --resolve-url http://127.0.0.1/${'A'.repeat(1023)}`, /^Error parsing resolve URL/],
    [
      '--rc-file rc-hmac -A tcp/22',
      /^Parameter error in rc-hmac, line 2: HMAC_DIGEST_TYPE argument must be one of \{md5,/,
    ],
    ['-k --save-rc-stanza -D host --key-rijndael a', /--key-gen makes new keys, and --key-rijndael names one/],
    ['-k --save-rc-stanza -D host --get-hmac-key f', /--key-gen makes new keys, and --get-hmac-key names one/],
    ['--bogus', /there is no option --bogus/],
    ['--key x', /--key is ambiguous/],
    ['-E', /-E needs a value/],
    ['-b', /no effect without --save-packet/],
    ['--force-stanza', /no effect without --save-rc-stanza/],
    ['--fault-injection-tag x', /fwknop’s own tests/],
    ['--rc-file rc-bad -A tcp/22', /^Parameter error in rc-bad, line 2: DIGEST_TYPE argument must be one of/],
    ['--rc-file rc-worse -A tcp/22', /^Invalid entry in rc-worse, line 2\n/],
  ]
  for (const [words, says] of refused)
    it(`“${words}” is refused with 1`, async () => {
      home.write('rc-bad', '[default]\nDIGEST_TYPE invalid\n')
      home.write('rc-hmac', '[default]\nHMAC_DIGEST_TYPE invalid\n')
      home.write('rc-loud', '[default]\nVERBOSE 100\n')
      home.write('rc-worse', '[default]\nDIGEST_TYPE #\n')
      const { status, stderr, stdout } = await home.fwknop(words.split(' '))
      assert.equal(status, 1, stdout)
      assert.match(stderr, says)
    })

  it('shows its version and its options', async () => {
    const { stdout } = await home.fwknop(['--vers'])
    assert.match(stdout, /^fwknop client of ghostport [0-9.]+, FKO protocol version 3\.0\.0\n$/)
    assert.match((await home.fwknop(['-h'])).stdout, /^Usage: fwknop -A/)
    assert.equal(existsSync(join(home.path, '.fwknop.run')), true)
  })
})
