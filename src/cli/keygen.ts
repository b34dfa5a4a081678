/**
 * `ghostport keygen`: the two keys that a client and a server share, in the lines that both ends paste: `KEY_BASE64`
 * and `HMAC_KEY_BASE64` mean the same in `.fwknoprc` and in `access.conf`.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { parseStanzaName } from '../access/stanza-name.ts'
import { jsonLine } from '../bytes/text.ts'
import { protocolPortsValue } from '../config/reading/setting-values.ts'
import { DEFAULT_DIGEST_TYPE, DIGEST_TYPES, type DigestType, parseDigestType } from '../packet/digest-type.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { parseNatHost } from '../packet/nat-target.ts'
import { formatProtocolPorts } from '../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { systemPath } from '../system/system-path.ts'
import { judgeWay } from '../system/user-file.ts'
import { defineCommand, type Outcome } from './command.ts'
import {
  accessStanza,
  headings,
  type KeyTexts,
  keyJson,
  keyLines,
  otherHalf,
  rcStanza,
  type StanzaWishes,
} from './knock/keygen-text.ts'
import type { OptionValues, ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  pair: { help: 'print both stanzas for one pair of keys: for access.conf and for .fwknoprc' },
  access: { help: 'print only the stanza for access.conf' },
  rc: { help: 'print only the stanza for .fwknoprc' },
  name: { value: 'NAME', help: 'the NAME of the stanza for access.conf, such as ada-phone' },
  server: { value: 'HOST', help: 'the server, for the stanza for .fwknoprc' },
  open: { value: 'PROTO/PORT', help: 'what the stanzas open: tcp/22, or several: tcp/22,udp/53 (default tcp/22)' },
  'key-gen-file': {
    short: 'K',
    value: 'FILE',
    help: 'write to a new FILE that only you can read; never overwrites. With --pair: writes the stanza for access.conf, and prints the other',
  },
  'key-len': { value: 'BYTES', help: 'length of the encryption key, 1 to 32 (default 32)' },
  'hmac-key-len': { value: 'BYTES', help: 'length of the HMAC key, 1 to 128 (default: by the digest, 64 for sha256)' },
  'hmac-digest-type': { value: 'DIGEST', help: `one of ${DIGEST_TYPES.join(' ')} (default ${DEFAULT_DIGEST_TYPE})` },
  json: { help: 'print one JSON object: key_base64, hmac_key_base64, hmac_digest_type; with --pair also the stanzas' },
} as const

/**
 * Bytes for which a digest’s HMAC key needs no hashing: fwknop’s own defaults, and, for SHA-3, where fwknop has none
 * and fails, the length of the digest, which RFC 2104 calls enough.
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

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Makes an encryption key and an HMAC key, and prints them. Client and server need the same two keys. So run it once, on',
    'either side, and copy the other stanza to the other side. A second run makes other keys.',
    'Without an option: prints just the two lines, as fwknop --key-gen does.',
  ],
  after: [
    'ghostport keygen --pair --server host.example          both stanzas, to copy',
    'ghostport keygen --pair --name ada-phone --server host.example -K ada-phone.conf',
    '                                                       the stanza for access.conf into a file, the other printed',
  ],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const usage = contradiction(given)
  if (!usage.ok) return usage
  const wish = parseWish(given)
  if (!wish.ok) return wish
  const stanzas = parseStanzas(given)
  if (!stanzas.ok) return stanzas

  const { printed, filed } = output(generate(wish.value), stanzas.value, given)
  const file = given['key-gen-file']
  if (file !== undefined && filed !== undefined) {
    const written = writeNew(file, `${filed}\n`)
    if (!written.ok) return written
    terminal.note(`wrote ${file}, readable by you only`)
  }
  if (printed !== undefined) terminal.print(printed.split('\n'))
  for (const half of ['access', 'rc'] as const) if (given[half] > 0) terminal.note(otherHalf[half])
  return 0
}

/**
 * The keys as the two lines that both ends understand, by the options of fwknop’s `--key-gen`.
 * @param file where they are written, if anywhere: a new file.
 */
export function makeKeys(
  given: Parameters<typeof parseWish>[0],
  file: string | undefined,
): Result<string, Failure<'CLI_USAGE' | 'VALUE_INVALID' | 'CONFIG_UNWRITABLE' | 'CONFIG_CONFLICT' | 'CONFIG_EXPOSED'>> {
  const wish = parseWish(given)
  if (!wish.ok) return wish
  const text = keyLines(generate(wish.value))
  const written = file === undefined ? ok(undefined) : writeNew(file, `${text}\n`)
  return written.ok ? ok(text) : written
}

/** `--key-gen` and `--key-gen-file` of fwknop and of fwknopd, in their words. */
export function makeKeysAsFwknop(
  given: Parameters<typeof parseWish>[0] & { readonly 'key-gen-file': string | undefined },
  terminal: Terminal,
): Outcome {
  const file = given['key-gen-file']
  const made = makeKeys(given, file)
  if (!made.ok) return made
  if (file === undefined) terminal.print(made.value.split('\n'))
  else terminal.print(`[+] Wrote Rijndael and HMAC keys to: ${file}`)
  return 0
}

type Given = OptionValues<typeof options>

/** Options that cannot be used together, and options without effect. */
function contradiction(given: Given): Result<void, Failure<'CLI_USAGE'>> {
  const forms = (['pair', 'access', 'rc', 'json'] as const).filter((form) => given[form] > 0)
  const pairAsJson = forms.length === 2 && forms[0] === 'pair' && forms[1] === 'json'
  if (forms.length > 1 && !pairAsJson) {
    const bothHalves = given.access > 0 && given.rc > 0
    const more = bothHalves ? { suggestion: '--pair' } : {}
    return refuse('CLI_USAGE', `--${forms.join(' and --')} cannot be used together`, more)
  }
  const uses = { name: ['pair', 'access'], server: ['pair', 'rc'], open: ['pair', 'access', 'rc'] } as const
  for (const [name, needs] of Object.entries(uses) as [keyof typeof uses, (typeof uses)['open' | 'name' | 'server']][])
    if (given[name] !== undefined && !needs.some((form) => given[form] > 0)) {
      const detail = `--${name} has no effect without --${needs.join(' or --')}`
      return refuse('CLI_USAGE', detail, { suggestion: '--pair' })
    }
  return ok(undefined)
}

function parseStanzas(given: Given): Result<StanzaWishes, Failure<'VALUE_INVALID'>> {
  const name = given.name === undefined ? ok(undefined) : parseStanzaName(given.name)
  if (!name.ok) return refuse('VALUE_INVALID', `--name: ${name.failure.detail}`)
  const host = given.server === undefined ? ok(undefined) : parseNatHost(given.server)
  if (!host.ok) return refuse('VALUE_INVALID', `--server: ${host.failure.detail}`)
  const ports = protocolPortsValue()(given.open ?? 'tcp/22')
  if (!ports.ok) return refuse('VALUE_INVALID', `--open: ${ports.failure.detail}`)
  return ok({ name: name.value, server: given.server, ports: formatProtocolPorts(ports.value) })
}

/** @returns what goes to standard output, and what goes into the file of -K. */
function output(keys: KeyTexts, stanzas: StanzaWishes, given: Given): { printed?: string; filed?: string } {
  const toFile = given['key-gen-file'] !== undefined
  const access = accessStanza(keys, stanzas)
  const rc = `${stanzas.server === undefined ? `${headings.placeholders}\n` : ''}${rcStanza(keys, stanzas)}`
  if (given.pair === 0) {
    const text =
      given.json > 0 ? jsonLine(keyJson(keys)) : given.access > 0 ? access : given.rc > 0 ? rc : keyLines(keys)
    return toFile ? { filed: text } : { printed: text }
  }
  const half = { access: `${headings.access}\n${access}`, rc: `${headings.rc}\n${rc}` }
  const filed = toFile ? { filed: half.access } : {}
  if (given.json > 0)
    return { ...filed, printed: jsonLine({ ...keyJson(keys), access_conf: `${access}\n`, fwknoprc: `${rc}\n` }) }
  return { ...filed, printed: toFile ? half.rc : `${half.access}\n\n${half.rc}` }
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
  const type = parseDigestType(given['hmac-digest-type'] ?? DEFAULT_DIGEST_TYPE)
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

function generate(wish: Wish): KeyTexts {
  return {
    key: randomBytes(wish.keyLength).toString('base64'),
    hmacKey: randomBytes(wish.hmacKeyLength).toString('base64'),
    hmacDigestType: wish.hmacDigestType,
  }
}

/** Keys of the usual lengths. */
export function usualKeys(): KeyTexts {
  return generate({
    keyLength: EncryptionKey.maxLength,
    hmacKeyLength: hmacKeyLengths[DEFAULT_DIGEST_TYPE],
    hmacDigestType: DEFAULT_DIGEST_TYPE,
  })
}

/** @param name of the stanza for access.conf. */
function writeNew(
  file: string,
  text: string,
): Result<void, Failure<'CONFIG_UNWRITABLE' | 'CONFIG_CONFLICT' | 'CONFIG_EXPOSED'>> {
  const path = systemPath(file)
  try {
    const exposed = judgeWay(file)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    const descriptor = openSync(path, 'wx', 0o600)
    try {
      writeFileSync(descriptor, text)
      fsyncSync(descriptor)
    } catch (error) {
      unlinkSync(path) // half a key is none
      throw error
    } finally {
      closeSync(descriptor)
    }
    return ok(undefined)
  } catch (error) {
    const code = errorCode(error) ?? systemReason(error)
    if (code === 'EEXIST')
      return refuse('CONFIG_CONFLICT', `${file} exists already and may hold keys in use`, {
        suggestion: 'give another name, or move it away',
      })
    return refuse('CONFIG_UNWRITABLE', `${file}: ${reasons[code] ?? code}`)
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'there is no such folder',
  EACCES: 'no permission to create it there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
}
