/** `gpgdir` as a process of its own, with a keyring of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Keyring, makeKeyring } from './gnupg.ts'
import { makeTree } from './tree.ts'

export const PASSPHRASE = 'correct horse'
/** Without a passphrase. */
export const OPEN_KEY = 'server2048'
/** Of Curve25519, without a passphrase. */
export const OTHER_KEY = 'client25519'
/** Its passphrase is {@link PASSPHRASE}. */
export const LOCKED_KEY = 'locked@gpgdir.test'

export interface Ended {
  /** Null if a signal ended it. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface GpgdirRuns {
  readonly keyring: Keyring
  run(...args: string[]): Promise<Ended>
  /** With {@link OPEN_KEY}, and without the test of it. */
  quick(...args: string[]): Promise<Ended>
  /** As `quick`, but it goes on while the test does. */
  start(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<unknown> }
  /** Runs it on a terminal, and types the next answer at each question. @returns what the terminal shows. */
  typed(args: string, answers: readonly string[]): Promise<string>
}

/** @param keyring its folder; removed by the caller. */
export function gpgdirRuns(
  keyring: Keyring,
  env: Readonly<Record<string, string>> = {},
  user: { readonly uid?: number; readonly gid?: number } = {},
  named: readonly string[] = ['-g', keyring.home],
): GpgdirRuns {
  const words = (args: readonly string[]): readonly string[] => [
    ...['--conditions=ghostport-source', 'src/cli/gpgdir.ts', ...named, ...args],
  ]
  const environment = { ...process.env, ...env }
  const quickly = ['-K', OPEN_KEY, '--no-password', '-s'] as const
  const run = async (...args: string[]): Promise<Ended> => {
    const child = spawn(process.execPath, words(args), {
      ...user,
      env: environment,
      timeout: 60_000,
      // A session of its own: no terminal, even if the tests have one.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const [status] = (await once(child, 'close')) as [number | null]
    return { status, stdout, stderr }
  }
  return {
    keyring,
    run,
    quick: (...args) => run(...quickly, ...args),
    start(...args) {
      const child = spawn(process.execPath, words([...quickly, ...args]), { env: environment, stdio: 'ignore' })
      return { child, ended: once(child, 'close') }
    },
    async typed(args, answers) {
      const quoted = [process.execPath, ...words(args.split(' '))].map((word) => `'${word}'`).join(' ')
      const child = spawn('script', ['-qec', quoted, '/dev/null'], {
        env: environment,
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      let [shown, given] = ['', 0]
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        shown += text
        const asked = shown.match(/passphrase(?: of the key)?: |again: |\[Y\/n\] /g)?.length ?? 0
        for (; given < asked; given++) child.stdin.write(`${answers[given] ?? ''}\n`)
      })
      await once(child, 'close')
      return shown
    },
  }
}

/** A keyring with all three keys. Its passphrases are quick to try. */
export function gpgdirKeyring(): Keyring {
  const conf = { 'gpg.conf': 's2k-count 1024\n', 'gpg-agent.conf': 's2k-count 65536\n' }
  const keyring = makeKeyring([OPEN_KEY, OTHER_KEY], conf)
  const gpg = ['--pinentry-mode', 'loopback', '--passphrase', PASSPHRASE]
  keyring.gpg(...gpg, '--quick-generate-key', LOCKED_KEY, 'ed25519', 'default', 'never')
  keyring.gpg(...gpg, '--quick-add-key', fingerprintOf(keyring, LOCKED_KEY), 'cv25519', 'encr', 'never')
  return keyring
}

export function fingerprintOf(keyring: Keyring, name: string): string {
  const listed = keyring.gpg('--trust-model', 'always', '--with-colons', '--list-keys', name)
  return /^fpr:+([0-9A-F]{40})/m.exec(listed)?.[1] ?? ''
}

/** The same keys with an agent of their own, which knows no passphrase. */
export function copyKeyring(t: TestContext, keyring: Keyring): Keyring {
  const home = mkdtempSync(join(tmpdir(), 'gnupg-'))
  cpSync(keyring.home, home, { recursive: true, filter: (path) => !/\/S\.|\.lock$|#lk/.test(path) })
  const remove = (): void => {
    spawnSync('gpgconf', ['--homedir', home, '--kill', 'all'])
    rmSync(home, { recursive: true, force: true })
  }
  t.after(remove)
  const gpg: Keyring['gpg'] = (...args) => {
    const words = ['--homedir', home, '--batch', '--quiet', '--no-tty', ...args]
    return spawnSync('gpg', words, { encoding: 'utf8' }).stdout
  }
  return { home, gpg, remove }
}

/** The agent keeps passphrases for the next calls. */
export function forgetPassphrases({ home }: Keyring): void {
  spawnSync('gpg-connect-agent', ['--homedir', home, 'reloadagent', '/bye'])
}

export function passphraseFile(t: TestContext, passphrase: string): string {
  const file = join(makeTree(t).path, 'passphrase')
  writeFileSync(file, `${passphrase}\nsecond line\n`, { mode: 0o600 })
  return file
}

/** Encrypts with plain gpg. */
export function sealWithGpg(keyring: Keyring, plaintext: string, to: string, ...args: string[]): void {
  const words = ['--homedir', keyring.home, '--batch', '--trust-model', 'always', '-r', OPEN_KEY, '-o', to]
  spawnSync('gpg', [...words, ...args, '-e'], { input: plaintext })
}
