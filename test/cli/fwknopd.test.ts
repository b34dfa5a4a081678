/** The command line of `fwknopd` as a person runs it, without a server. */
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Home, type Transcript } from './ghostport.ts'

const program = [
  process.execPath,
  '--conditions=ghostport-source',
  fileURLToPath(new URL('../../src/cli/fwknopd.ts', import.meta.url)),
]
const fwknopd = (home: Home, ...argv: readonly string[]): Promise<Transcript> => home.run([...program, ...argv])

const KEYS = 'KEY secretsecret\nHMAC_KEY anothersecret\n'

function configured(server = ''): Home {
  const home = new Home()
  home.write('fwknopd.conf', `FWKNOP_RUN_DIR ${home.path}/run;\n${server}`)
  home.write('access.conf', `SOURCE ANY\nOPEN_PORTS tcp/22\n${KEYS}`)
  return home
}
const FILES = ['-c', 'fwknopd.conf', '-a', 'access.conf']

test('fwknopd --exit-parse-config reads the files, warns about what is ignored, and ends', async () => {
  using home = configured('PCAP_INFT eth1;\n')
  const ran = await fwknopd(home, ...FILES, '--exit-parse-c')
  assert.equal(ran.status, 0)
  assert.equal(ran.stdout, '')
  const [warning, ...more] = ran.stderr.trimEnd().split('\n')
  assert.equal(
    warning,
    `warning: ${home.path}/fwknopd.conf:2: Ignoring unknown configuration parameter: 'PCAP_INFT': there is no such variable — perhaps: PCAP_INTF`,
  )
  assert.equal(more.at(-1), 'Configs parsed, exiting.')
})

test('a file that is wrong ends with 1, and names the line', async () => {
  using home = configured('MAX_SPA_PACKET_AGE soon;\n')
  for (const words of [['--exit-parse-config'], ['-f'], ['-D'], ['-S']]) {
    const ran = await fwknopd(home, ...FILES, ...words)
    assert.equal(ran.status, 1)
    const [theirs, ours] = ran.stderr.split('\n')
    assert.match(ours ?? '', /^fwknopd: .*\/fwknopd\.conf:2: .* \[CONFIG_INVALID_VALUE\]$/)
    assert.equal(theirs, '[*] var MAX_SPA_PACKET_AGE value not in the range')
  }
})

test('a program or a folder that the command line names must be there, even if no stanza uses it', async () => {
  using home = configured()
  for (const [option, path, why] of [
    ['--gpg-exe', '/invalid/path', 'is not a program that can be run'],
    ['--sudo-exe', 'invalid', 'is not a program that can be run'],
    ['--gpg-home-dir', 'invalidpath', 'no such file or directory'],
    ['--gpg-home-dir', 'access.conf', 'it is not a folder'],
    ['--gpg-home-dir', 'A'.repeat(1200), 'name too long'],
  ] as const) {
    const ran = await fwknopd(home, ...FILES, option, path, '-f', '--exit-parse-config')
    assert.equal(ran.status, 1, option)
    assert.match(ran.stderr, new RegExp(`${option}: .*${path}.*${why}`))
  }
  const good = ['--gpg-exe', '/bin/sh', '--gpg-home-dir', '.']
  assert.equal((await fwknopd(home, ...FILES, ...good, '--exit-parse-config')).status, 0)
})

test('fwknopd -D shows what is in force, and no key', async () => {
  using home = configured('PCAP_INTF eth1;\n')
  home.write('more.conf', 'PCAP_INTF eth2;\nMAX_SPA_PACKET_AGE 60;\n')
  home.write('last.conf', 'PCAP_INTF eth3;\n')
  const ran = await fwknopd(home, ...FILES, '-O', 'more.conf,last.conf', '-p', 'other.pid', '-D')
  assert.equal(ran.status, 0, ran.stderr)
  const value = (name: string) => new RegExp(` ${name} +=  '(.*)'`).exec(ran.stdout)?.[1]
  assert.equal(value('PCAP_INTF'), 'eth3')
  assert.equal(value('MAX_SPA_PACKET_AGE'), '60')
  assert.equal(value('FWKNOP_PID_FILE'), `${home.path}/other.pid`)
  assert.equal(value('RECEIVER_USER'), '<not set>')
  assert.match(ran.stdout, /SOURCE \(1\): {2}ANY/)
  assert.match(ran.stdout, /^ +OPEN_PORTS: {2}tcp\/22$/m)
  assert.match(ran.stdout, /^ +KEY: {2}<see the access.conf file>$/m)
  assert.doesNotMatch(ran.stdout + ran.stderr, /secret(?!s)/)
})

test('without a running fwknopd, -S, -K and -R say so, and an old pid file harms nobody', async () => {
  using home = configured()
  const nothing = { status: 1, stdout: 'No running fwknopd detected.\n', stderr: '' }
  for (const flag of ['-S', '-K', '-R']) assert.deepEqual(await fwknopd(home, ...FILES, flag), nothing)
  // The number of this process: it would be stopped.
  const stale = home.write('stale.pid', `${process.pid}\n`)
  for (const flag of ['-S', '-K', '-R']) assert.deepEqual(await fwknopd(home, ...FILES, '-p', stale, flag), nothing)
  assert.equal(readFileSync(stale, 'utf8'), `${process.pid}\n`)
})

test('fwknopd --key-gen prints keys, or writes them to a new file', async () => {
  using home = new Home()
  const printed = await fwknopd(home, '--key-gen')
  assert.equal(printed.status, 0)
  assert.match(printed.stdout, /^KEY_BASE64: [\w+/]{43}=\nHMAC_KEY_BASE64: [\w+/]{86}==\n$/)
  const file = join(home.path, 'keys')
  const filed = await fwknopd(home, '--key-gen-file', 'keys', '--key-len=16', '--hmac-digest-type', 'sha3_256')
  assert.deepEqual(filed, { status: 0, stdout: '[+] Wrote Rijndael and HMAC keys to: keys\n', stderr: '' })
  assert.match(readFileSync(file, 'utf8'), /^KEY_BASE64: [\w+/]{22}==\nHMAC_KEY_BASE64: [\w+/]{43}=\n/)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const wrong = await fwknopd(home, '--key-gen', '--key-len', '33')
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /--key-len: “33” is not a number of bytes from 1 to 32/)
})

test('what cannot be understood ends with 1 and changes nothing', async () => {
  using home = configured()
  const refusals: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
    [['--foregrund'], /there is no option --foregrund — perhaps: --foreground/],
    [['-k'], /there is no option -k/],
    [['--key'], /--key is ambiguous: it may mean --key-gen, --key-gen-file, --key-len/],
    [['-c'], /-c needs a value/],
    [[...FILES, 'start'], /unexpected argument “start”/],
    [[...FILES, '-K', '-S'], /--kill and --status cannot be used together/],
    [[...FILES, '-A'], /--afl-fuzzing is refused/],
    [[...FILES, '-O', 'missing.conf', '-D'], /missing\.conf/],
  ]
  for (const [argv, message] of refusals) {
    const ran = await fwknopd(home, ...argv)
    assert.equal(ran.status, 1, argv.join(' '))
    assert.match(ran.stderr, message)
    assert.equal(ran.stdout, '')
  }
})

test('fwknopd -h, -V and --dump-serv-err-codes need no files', async () => {
  using home = new Home()
  writeFileSync(join(home.path, 'empty'), '')
  const help = await fwknopd(home, '-h')
  assert.equal(help.status, 0)
  assert.match(help.stdout, /--rotate-digest-cache/)
  const version = await fwknopd(home, '-V')
  assert.match(version.stdout, /^fwknopd server of ghostport \d+\.\d+\.\d+, SPA protocol 3\.0\.0\n$/)
  const codes = await fwknopd(home, '--dump')
  assert.equal(codes.status, 1) // --dump-config, or the codes
  assert.match((await fwknopd(home, '--dump-serv')).stdout, /^SPA_REPLAYED: this packet was used before$/m)
})
