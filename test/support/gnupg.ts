/** GnuPG keyrings of the keys beside the vectors. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const KEYS = fileURLToPath(new URL('../vectors/gpg/', import.meta.url))

/** Fingerprints of the keys beside the vectors: of the primary key, and of the one that signs or decrypts. */
export const gnupgKeys = {
  client2048: {
    primary: 'B992BCB0FC4825F8486E0822543BC485D7D734A0',
    subkey: '1FDDCD755FDA721D0350E893AD8C10297F35D41F',
  },
  server2048: {
    primary: 'A14C06CA9F7CD4E39178009CDCBF0FD82C9031C7',
    subkey: '1C24D9F42979F2302886D2787BF92A24D6B2839F',
  },
  client25519: {
    primary: '2593D86D2050A4E42AAE0F00FCB0FB6A1CE6B883',
    subkey: '2593D86D2050A4E42AAE0F00FCB0FB6A1CE6B883',
  },
} as const

/** A folder of a keyring, and gpg with it. */
export interface Keyring {
  readonly home: string
  gpg(...args: string[]): string
  remove(): void
}

/**
 * @param names of keys to import, with their secret parts; all of them where none is named.
 * @param conf files of the keyring, as `gpg.conf`, and what is in them.
 */
export function makeKeyring(names: readonly string[] = [], conf: Readonly<Record<string, string>> = {}): Keyring {
  const home = mkdtempSync(join(tmpdir(), 'gnupg-'))
  chmodSync(home, 0o700)
  for (const [file, text] of Object.entries(conf)) writeFileSync(join(home, file), text)
  const gpg = (...args: string[]): string =>
    execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', '--no-tty', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const files = readdirSync(KEYS).filter((file) => file.endsWith('.sec.asc'))
  const chosen = names.length === 0 ? files : names.map((name) => `${name}.sec.asc`)
  gpg('--import', ...chosen.map((file) => join(KEYS, file)))
  gpg('--import-ownertrust', join(KEYS, 'ownertrust.txt'))
  try {
    gpg('--check-trustdb')
  } catch {
    // Trusted keys that were not imported are missing, which it tells by its status.
  }
  const remove = (): void => {
    // The agent of this home ends with it.
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' })
    rmSync(home, { recursive: true, force: true })
  }
  return { home, gpg, remove }
}

/** {@link makeKeyring} for one test. */
export function keyringFor(t: TestContext, names: readonly string[] = []): Keyring {
  const keyring = makeKeyring(names)
  t.after(() => keyring.remove())
  return keyring
}
