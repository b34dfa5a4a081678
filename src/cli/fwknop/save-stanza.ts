/** `--save-rc-stanza`: writes the options of a command line into a stanza of the rc file. */
import { readSync } from 'node:fs'
import { routeFor } from '../../client/route.ts'
import { editStanza, type Overwritten, overwrittenKeys, type RcChange } from '../../config/client/edit-fwknoprc.ts'
import { type ClientSettingName, readClientSetting, secretSettings } from '../../config/client/fwknoprc-settings.ts'
import { type SettingLayer, settle } from '../../config/client/layer.ts'
import { parseFwknoprc } from '../../config/client/parse-fwknoprc.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { replaceUserFile } from '../../system/replace-user-file.ts'
import { readUserFile } from '../../system/user-file.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { FwknopGiven } from './options.ts'

/** In fwknop's order. Options without a setting of the rc file are not saved. */
const settingOf: readonly (readonly [option: keyof FwknopGiven, setting: ClientSettingName])[] = [
  ['digest-type', 'DIGEST_TYPE'],
  ['server-proto', 'SPA_SERVER_PROTO'],
  ['server-port', 'SPA_SERVER_PORT'],
  ['source-port', 'SPA_SOURCE_PORT'],
  ['fw-timeout', 'FW_TIMEOUT'],
  ['allow-ip', 'ALLOW_IP'],
  ['time-offset-plus', 'TIME_OFFSET'],
  ['time-offset-minus', 'TIME_OFFSET'],
  ['encryption-mode', 'ENCRYPTION_MODE'],
  ['gpg-encryption', 'USE_GPG'],
  ['gpg-agent', 'USE_GPG_AGENT'],
  ['gpg-no-signing-pw', 'GPG_NO_SIGNING_PW'],
  ['gpg-recipient-key', 'GPG_RECIPIENT'],
  ['gpg-signer-key', 'GPG_SIGNER'],
  ['gpg-home-dir', 'GPG_HOMEDIR'],
  ['gpg-exe', 'GPG_EXE'],
  ['spoof-user', 'SPOOF_USER'],
  ['spoof-source', 'SPOOF_SOURCE_IP'],
  ['access', 'ACCESS'],
  ['destination', 'SPA_SERVER'],
  ['rand-port', 'RAND_PORT'],
  ['key-rijndael', 'KEY'],
  ['key-base64-rijndael', 'KEY_BASE64'],
  ['hmac-digest-type', 'HMAC_DIGEST_TYPE'],
  ['key-base64-hmac', 'HMAC_KEY_BASE64'],
  ['key-hmac', 'HMAC_KEY'],
  ['use-hmac', 'USE_HMAC'],
  ['use-wget-user-agent', 'USE_WGET_USER_AGENT'],
  ['get-key', 'KEY_FILE'],
  ['get-hmac-key', 'HMAC_KEY_FILE'],
  ['nat-access', 'NAT_ACCESS'],
  ['user-agent', 'HTTP_USER_AGENT'],
  ['resolve-url', 'RESOLVE_URL'],
  ['server-resolve-ipv4', 'SERVER_RESOLVE_IPV4'],
  ['nat-local', 'NAT_LOCAL'],
  ['nat-rand-port', 'NAT_RAND_PORT'],
  ['nat-port', 'NAT_PORT'],
  ['verbose', 'VERBOSE'],
  ['resolve-ip-https', 'RESOLVE_IP_HTTPS'],
  ['resolve-http-only', 'RESOLVE_HTTP_ONLY'],
  ['wget-cmd', 'WGET_CMD'],
  ['no-save-args', 'NO_SAVE_ARGS'],
]

const usingGpg = [
  'gpg-agent',
  'gpg-no-signing-pw',
  'gpg-recipient-key',
  'gpg-signer-key',
  'gpg-home-dir',
  'gpg-exe',
] as const

const usingHmac = ['key-hmac', 'key-base64-hmac', 'get-hmac-key', 'hmac-digest-type', 'hmac-key-len'] as const

/**
 * @param given the options that count: of two that exclude each other, only one.
 * @param keys new keys, as settings.
 * @returns the settings to write.
 */
export function changesOf(given: Partial<FwknopGiven>, keys: readonly RcChange[]): readonly RcChange[] {
  const changes = settingOf.flatMap(([option, name]): RcChange[] => {
    const value = given[option]
    if (value === undefined || value === 0) return []
    if (option === 'verbose') return [{ name, value: value === 1 ? 'Y' : String(value) }]
    if (typeof value === 'number') return [{ name, value: 'Y' }]
    return [{ name, value: inFwknopsForm(name, option === 'time-offset-minus' ? `-${value}` : String(value)) }]
  })
  const isGiven = (option: keyof FwknopGiven): boolean => given[option] !== undefined && given[option] !== 0
  const implied: RcChange[] = [
    ...(isGiven('source-ip') ? [{ name: 'ALLOW_IP', value: '0.0.0.0' } as const] : []),
    ...(usingGpg.some(isGiven) ? [{ name: 'USE_GPG', value: 'Y' } as const] : []),
    ...(usingHmac.some(isGiven) ? [{ name: 'USE_HMAC', value: 'Y' } as const] : []),
    ...(isGiven('resolve-http-only') ? [{ name: 'RESOLVE_IP_HTTPS', value: 'Y' } as const] : []),
  ]
  return [...changes, ...implied.filter(({ name }) => !changes.some((it) => it.name === name)), ...keys]
}

/** As fwknop writes these values: an offset in seconds, a transport in lower and a digest in upper case. */
function inFwknopsForm(name: ClientSettingName, value: string): string {
  switch (name) {
    case 'TIME_OFFSET': {
      const read = readClientSetting(name, value)
      return read.ok && typeof read.value.timeOffset === 'number' ? String(read.value.timeOffset) : value
    }
    case 'SPA_SERVER_PROTO':
      return value.toLowerCase()
    case 'DIGEST_TYPE':
    case 'HMAC_DIGEST_TYPE':
      return value.toUpperCase()
    default:
      return value
  }
}

/** [default] counts for each knock: a file in which it cannot be used is not added to. */
export function judgeFile(file: string): Result<void, Failure> {
  const read = readUserFile(file)
  if (!read.ok) return read
  const rc = parseFwknoprc(file, read.value?.text ?? '')
  const settings = rc.ok ? rc.value.settings() : rc
  return settings.ok ? ok(undefined) : settings
}

/** Options that contradict each other would make a stanza that nobody can use. Other settings of it may come later. */
export function judgeOptions(options: SettingLayer, server: string): Result<void, Failure<'CLI_USAGE'>> {
  const settings = settle([options])
  if (settings.transport === undefined) return ok(undefined)
  const route = routeFor(settings, server)
  return route.ok || route.failure.code !== 'CONFIG_CONFLICT'
    ? ok(undefined)
    : refuse('CLI_USAGE', route.failure.detail)
}

/**
 * @param force replaces keys without a question.
 * @returns nothing is written if the result could not be read back, or would say something else.
 */
export function saveStanza(
  file: string,
  stanza: string,
  changes: readonly RcChange[],
  { force, terminal }: { readonly force: boolean; readonly terminal: Terminal },
): Result<readonly RcChange[], Failure> {
  if (!/^[^\s[\]#;][^\n\r\0[\]]*$/.test(stanza))
    return refuse('CLI_USAGE', `“${stanza}” cannot be the name of a stanza`)
  const read = readUserFile(file)
  if (!read.ok) return read
  const text = read.value?.text ?? ''
  const declined = force ? [] : overwrittenKeys(text, stanza, changes).filter((it) => !agrees(it, stanza, terminal))
  const agreed = changes.filter((change) => !declined.some((it) => it.change === change))
  const edited = editStanza(text, stanza, agreed)
  const valid = readBack(file, edited, stanza, agreed)
  if (!valid.ok) return valid
  const written = replaceUserFile(file, edited)
  return written.ok ? ok(agreed) : written
}

/** `Updating param DIGEST_TYPE to SHA1`. */
export function describeChange({ name, value }: RcChange): string {
  return `Updating param ${name} to ${secretSettings.has(name) ? '[secret]' : value}`
}

/** A value with a blank, a “#” or a “;” would be cut there. */
function readBack(file: string, edited: string, stanza: string, changes: readonly RcChange[]): Result<void, Failure> {
  const cut = changes.find(
    ({ name, value }) => /[\n\r\0]/.test(value) || (name !== 'HTTP_USER_AGENT' && /[\s;#]/.test(value)),
  )
  if (cut !== undefined) {
    const isKey = cut.name === 'KEY' || cut.name === 'HMAC_KEY'
    const option = cut.name === 'KEY' ? '--key-base64-rijndael' : '--key-base64-hmac'
    return refuse(
      'VALUE_INVALID',
      `the value of ${cut.name} has a blank, “#” or “;”, where the rc file would cut it: nothing was written`,
      isKey ? { suggestion: option } : {},
    )
  }
  const parsed = parseFwknoprc(file, edited)
  if (!parsed.ok) return parsed
  const settings = parsed.value.settings(stanza)
  return settings.ok ? ok(undefined) : settings
}

/** As fwknop asks. The end of the input is a no. */
function agrees({ name }: Overwritten, stanza: string, terminal: Terminal): boolean {
  terminal.print(`Variable '${name}' found in stanza '${stanza}'. Overwrite [N/y] ? `)
  return readAnswer().startsWith('y')
}

/** A line of standard input, byte by byte: the rest is for the next question. */
function readAnswer(): string {
  const typed: number[] = []
  const byte = new Uint8Array(1)
  try {
    while (typed.length < 100 && readSync(0, byte) === 1 && byte[0] !== 0x0a) typed.push(byte[0] ?? 0)
  } catch {
    return '' // no standard input
  }
  return String.fromCharCode(...typed)
}
