/**
 * `ghostport keygen`: the two keys that a client and a server share, in the lines that both ends paste: `KEY_BASE64` and
 * `HMAC_KEY_BASE64` mean the same in `.fwknoprc` and in `access.conf`.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { parseStanzaName, type StanzaName } from '../access/stanza-name.ts'
import { DIGEST_TYPES, type DigestType, parseDigestType } from '../packet/digest-type.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { commandHelp } from './command-help.ts'
import { failWithJson } from './failure-json.ts'
import { parseCommandLine } from './options.ts'
import type { Terminal } from './terminal.ts'

const options = {
  rc: { help: 'print a stanza for .fwknoprc' },
  access: { help: 'print a stanza for access.conf' },
  name: { value: 'NAME', help: 'with --access: the NAME of the stanza, such as ada-phone' },
  'key-gen-file': { short: 'K', value: 'FILE', help: 'write to a new FILE that only you can read; never overwrites' },
  'key-len': { value: 'BYTES', help: 'length of the encryption key, 1 to 32 (default 32)' },
  'hmac-key-len': { value: 'BYTES', help: 'length of the HMAC key, 1 to 128 (default: by the digest, 64 for sha256)' },
  'hmac-digest-type': { value: 'DIGEST', help: `one of ${DIGEST_TYPES.join(' ')} (default sha256)` },
  json: { help: 'one JSON object: key_base64, hmac_key_base64, hmac_digest_type' },
  help: { short: 'h', help: 'this text' },
} as const

const help = {
  usage: 'ghostport keygen [options]',
  about: [
    'Makes an encryption key and an HMAC key from the system’s random numbers and prints them as the lines that go into',
    'the client’s .fwknoprc and the server’s access.conf. Without an option: just the two lines, as fwknop --key-gen.',
  ],
  table: options,
} as const

/**
 * Bytes for which a digest’s HMAC key needs no hashing: fwknop’s own defaults, and, for SHA-3, where fwknop has none and
 * fails, the length of the digest, which RFC 2104 calls enough.
 */
const hmacKeyLengths: Readonly<Record<DigestType, number>> = {
  md5: 16,
  sha1: 20,
  sha256: 64,
  sha384: 128,
  sha512: 128,
  sha3_256: 32,
  sha3_512: 64,
}

export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const fail = failWithJson(argv, terminal)
  const parsed = parseCommandLine(options, { names: [] }, argv)
  if (!parsed.ok) return fail(parsed.failure)
  const given = parsed.value.options
  if (given.help > 0) {
    terminal.print(commandHelp(help, terminal.style))
    return 0
  }
  const forms = (['rc', 'access', 'json'] as const).filter((form) => given[form] > 0)
  if (forms.length > 1) return fail(refuse('CLI_USAGE', `--${forms.join(' and --')}: choose one`).failure)

  const wish = parseWish(given)
  if (!wish.ok) return fail(wish.failure)
  const name = given.name === undefined ? ok(undefined) : parseStanzaName(given.name)
  if (!name.ok) return fail(refuse('VALUE_INVALID', `--name: ${name.failure.detail}`).failure)
  if (name.value !== undefined && forms[0] !== 'access')
    return fail(refuse('CLI_USAGE', '--name has no effect without --access', { suggestion: 'add --access' }).failure)
  const keys = generate(wish.value)
  const text = render(keys, forms[0] ?? 'lines', name.value)

  const file = given['key-gen-file']
  if (file === undefined) {
    terminal.print(text)
    return 0
  }
  const written = writeNew(file, `${text}\n`)
  if (!written.ok) return fail(written.failure)
  terminal.note(`wrote ${file}, readable by you only`)
  return 0
}

interface Wish {
  readonly keyLength: number
  readonly hmacKeyLength: number
  readonly hmacDigestType: DigestType
}

function parseWish(given: {
  readonly 'key-len': string | undefined
  readonly 'hmac-key-len': string | undefined
  readonly 'hmac-digest-type': string | undefined
}): Result<Wish, Failure<'CLI_USAGE' | 'VALUE_INVALID'>> {
  const type = parseDigestType(given['hmac-digest-type'] ?? 'sha256')
  if (!type.ok) return refuse('VALUE_INVALID', `--hmac-digest-type: ${type.failure.detail}`)
  const keyLength = parseLength('--key-len', given['key-len'], EncryptionKey.maxLength, EncryptionKey.maxLength)
  if (!keyLength.ok) return keyLength
  // 128 and not HmacKey.maxLength: fwknop's client refuses longer ones, and the key is for both.
  const hmac = parseLength(
    '--hmac-key-len',
    given['hmac-key-len'],
    Math.min(128, HmacKey.maxLength),
    hmacKeyLengths[type.value],
  )
  if (!hmac.ok) return hmac
  return ok({ keyLength: keyLength.value, hmacKeyLength: hmac.value, hmacDigestType: type.value })
}

function parseLength(
  flag: string,
  text: string | undefined,
  max: number,
  standard: number,
): Result<number, Failure<'VALUE_INVALID'>> {
  if (text === undefined) return ok(standard)
  const length = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0
  return length >= 1 && length <= max
    ? ok(length)
    : refuse('VALUE_INVALID', `${flag}: “${text}” is not a number of bytes from 1 to ${max}`)
}

interface KeyTexts {
  readonly key: string
  readonly hmacKey: string
  readonly hmacDigestType: DigestType
}

/** Padded base64, as `fwknop --key-gen` prints. */
function generate(wish: Wish): KeyTexts {
  return {
    key: randomBytes(wish.keyLength).toString('base64'),
    hmacKey: randomBytes(wish.hmacKeyLength).toString('base64'),
    hmacDigestType: wish.hmacDigestType,
  }
}

/** @param name of the stanza for access.conf. */
function render(keys: KeyTexts, form: 'lines' | 'rc' | 'access' | 'json', name: StanzaName | undefined): string {
  const { key, hmacKey, hmacDigestType } = keys
  // sha256 is what both ends take where nothing is said.
  const digest = hmacDigestType === 'sha256' ? [] : [['HMAC_DIGEST_TYPE', hmacDigestType] as const]
  const lines = [['KEY_BASE64', key] as const, ['HMAC_KEY_BASE64', hmacKey] as const, ...digest]
  const stanza = (): string[] => lines.map(([name, value]) => `${name.padEnd(20)}${value}`)
  switch (form) {
    case 'lines':
      return lines.map(([name, value]) => `${name}: ${value}`).join('\n')
    case 'rc':
      return [
        '[NAME]',
        `${'SPA_SERVER'.padEnd(20)}HOST`,
        `${'ALLOW_IP'.padEnd(20)}source`,
        `${'ACCESS'.padEnd(20)}tcp/22`,
        ...stanza(),
      ].join('\n')
    case 'access':
      return [
        `${'SOURCE'.padEnd(20)}ANY`,
        ...(name === undefined ? [] : [`${'NAME'.padEnd(20)}${name}`]),
        `${'OPEN_PORTS'.padEnd(20)}tcp/22`,
        ...stanza(),
      ].join('\n')
    case 'json':
      return JSON.stringify({ key_base64: key, hmac_key_base64: hmacKey, hmac_digest_type: hmacDigestType })
    default:
      return form satisfies never
  }
}

function writeNew(file: string, text: string): Result<void, Failure<'CONFIG_UNREADABLE' | 'CONFIG_CONFLICT'>> {
  try {
    const descriptor = openSync(file, 'wx', 0o600)
    try {
      writeSync(descriptor, text)
    } finally {
      closeSync(descriptor)
    }
    return ok(undefined)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return code === 'EEXIST'
      ? refuse('CONFIG_CONFLICT', `${file} exists already and may hold keys in use`, {
          suggestion: 'give another name, or move it away',
        })
      : refuse('CONFIG_UNREADABLE', `${file} cannot be written: ${code}`)
  }
}
