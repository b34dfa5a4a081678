/** `ghostport explain` with packets that the real gpg must open. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gnupgKeys, makeKeyring } from '../support/gnupg.ts'
import { ghostportCommand, Home } from './ghostport.ts'

const home = new Home()
const keyring = makeKeyring(['server2048', 'server3072', 'client2048', 'client25519'])
after(() => {
  home[Symbol.dispose]()
  keyring.remove()
})
const { client2048, client25519 } = gnupgKeys

home.write('fwknopd.conf', `ACCESS_FILE access.conf;\nGPG_HOME_DIR ${keyring.home};\n`)
const stanza = (...lines: string[]) => ['SOURCE ANY', 'GPG_ALLOW_NO_PW Y', 'HMAC_KEY two', ...lines, ''].join('\n')
home.write(
  'access.conf',
  stanza(
    'NAME bob',
    'OPEN_PORTS tcp/22',
    'GPG_DECRYPT_ID server2048@spa.test',
    `GPG_FINGERPRINT_ID ${client2048.primary}`,
  ) +
    stanza(
      'NAME eve',
      'OPEN_PORTS tcp/23',
      'GPG_DECRYPT_ID server3072@spa.test',
      `GPG_FINGERPRINT_ID ${client2048.primary}`,
    ),
)

async function packet(recipient: string, signer: string | undefined, port = 22): Promise<string> {
  const keys = ['--gpg-home-dir', keyring.home, '--gpg-recipient-key', `${recipient}@spa.test`, '--gpg-no-signing-pw']
  const signing = signer === undefined ? [] : ['--gpg-signer-key', `${signer}@spa.test`]
  const words = ['knock', '-T', '--json', '--no-rc-file', '-D', '127.0.0.1', '-a', '192.0.2.1', '-A', `tcp/${port}`]
  const { stdout, stderr } = await home.ghostport([...words, ...keys, ...signing, '--key-hmac', 'two'])
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout).packets[0].packet
}

interface Explained {
  readonly verdict: { readonly granted: boolean; readonly stanza?: string; readonly code?: string } | null
  readonly gnupg: { readonly signature: Record<string, unknown>; readonly decryptIds: readonly string[] } | null
  readonly steps: readonly { readonly what: string; readonly detail: string; readonly code: string | null }[]
}
async function explain(text: string, conf = 'fwknopd.conf'): Promise<Explained & { readonly status: number }> {
  const { stdout, stderr, status } = await home.ghostport(['explain', text, '-c', conf, '--json'])
  assert.notEqual(stdout, '', stderr)
  return { ...(JSON.parse(stdout) as Explained), status: status ?? -1 }
}
const gpgStep = ({ steps }: Explained) => steps.find(({ what }) => what.endsWith(': gpg'))

/** What a folder holds: names, times and contents. */
function contents(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => `${path} ${statSync(path).mtimeMs} ${readFileSync(path).toString('base64')}`)
}
const isRoot = process.getuid?.() === 0
/** Copies of keyrings that belong to the user for this: servers of other tests have theirs beside them. */
const copies = () =>
  readdirSync('/dev/shm').filter((name) => {
    if (!name.startsWith('ghostport-gnupg-')) return false
    return !isRoot || statSync(join('/dev/shm', name), { throwIfNoEntry: false })?.uid === 60_998
  })

describe('ghostport explain with GnuPG', () => {
  it('runs gpg, and says how, who signed, and which stanza opens; it leaves nothing behind', async () => {
    const text = await packet('server3072', 'client2048', 23)
    const [before, beside] = [contents(keyring.home), copies()]
    const explained = await explain(text)
    assert.deepEqual([explained.status, explained.verdict?.granted, explained.verdict?.stanza], [0, true, 'stanza eve'])
    assert.equal(explained.gnupg?.signature['fingerprint'], client2048.subkey)
    assert.deepEqual(explained.gnupg?.decryptIds, ['server3072@spa.test'])
    const how = isRoot ? 'user 60998' : 'this user'
    assert.equal(
      gpgStep(explained)?.detail,
      `decrypted, signed by ${client2048.subkey} (of key ${client2048.primary}), good, trusted. gpg ran as ${how}, on a copy of ${keyring.home}`,
    )
    assert.deepEqual(contents(keyring.home), before)
    assert.deepEqual(copies(), beside)
  })

  it('says it in lines for people too', async () => {
    const { stdout, status } = await home.ghostport([
      'explain',
      await packet('server2048', 'client2048'),
      '-c',
      'fwknopd.conf',
    ])
    assert.equal(status, 0)
    assert.match(stdout, /yes {2}keys of stanza bob, stanza eve: gpg: decrypted, signed by/)
    assert.match(stdout, /granted: stanza bob: opens tcp\/22/)
  })

  it('says that no stanza accepts the signer, or that there is none', async () => {
    for (const [signer, kind] of [
      ['client25519', 'verified'],
      [undefined, 'none'],
    ] as const) {
      const explained = await explain(await packet('server2048', signer))
      assert.deepEqual([explained.status, explained.verdict?.code], [1, 'ACCESS_SIGNATURE_DENIED'])
      assert.equal(explained.gnupg?.signature['kind'], kind)
    }
    assert.notEqual(client25519.primary, client2048.primary)
  })

  it('says why gpg does not open it', async () => {
    home.write('other.conf', `ACCESS_FILE other-access.conf;\nGPG_HOME_DIR ${keyring.home};\n`)
    home.write(
      'other-access.conf',
      stanza('GPG_DECRYPT_ID server3072@spa.test', `GPG_FINGERPRINT_ID ${client2048.primary}`),
    )
    const explained = await explain(await packet('server2048', 'client2048'), 'other.conf')
    assert.deepEqual([explained.status, explained.verdict, gpgStep(explained)?.code], [1, null, 'SPA_DECRYPT_FAILED'])
  })

  it('leaves no copy of the keyring when it is killed', async () => {
    const beside = copies()
    const [program = '', ...words] = [...ghostportCommand, 'explain', '-', '-c', 'fwknopd.conf']
    const child = spawn(program, words, { cwd: home.path, stdio: ['pipe', 'ignore', 'ignore'] })
    const gone = once(child, 'exit')
    const more = () => copies().filter((name) => !beside.includes(name))
    for (const end = Date.now() + 20_000; Date.now() < end && more().length === 0; ) await delay(20)
    const [copy] = more()
    assert(copy !== undefined, 'it made a copy')
    child.kill('SIGKILL')
    await gone
    for (const end = Date.now() + 20_000; Date.now() < end && copies().includes(copy); ) await delay(20)
    assert(!copies().includes(copy))
  })

  it('says that there is no keyring', async () => {
    home.write('none.conf', 'ACCESS_FILE access.conf;\nGPG_HOME_DIR /nowhere/gnupg;\n')
    const explained = await explain(await packet('server2048', 'client2048'), 'none.conf')
    const step = gpgStep(explained)
    assert.deepEqual([explained.status, step?.code], [1, 'CONFIG_UNREADABLE'])
    assert.match(step?.detail ?? '', /\/nowhere\/gnupg/)
  })
})
