/** `--save-rc-stanza`: writes the options of a command line into a stanza of the rc file. */
import { readSync } from 'node:fs'
import { editStanza, type Overwritten, overwrittenKeys, type RcChange } from '../../config/client/edit-fwknoprc.ts'
import { type ClientSettingName, clientSettings } from '../../config/client/fwknoprc-settings.ts'
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
    if (option === 'server-proto') return [{ name, value: value.toLowerCase() }]
    if (option === 'time-offset-plus' || option === 'time-offset-minus')
      return [{ name, value: inSeconds(value, option === 'time-offset-minus') }]
    return [{ name, value }]
  })
  // As fwknop writes it: the address that asks for nothing.
  const source: RcChange[] = Number(given['source-ip']) > 0 ? [{ name: 'ALLOW_IP', value: '0.0.0.0' }] : []
  // A digest for the HMAC asks for an HMAC.
  const hmac: RcChange[] =
    given['hmac-digest-type'] !== undefined && !changes.some(({ name }) => name === 'USE_HMAC')
      ? [{ name: 'USE_HMAC', value: 'Y' }]
      : []
  const impliesGpg = usingGpg.some((option) => given[option] !== undefined && given[option] !== 0)
  const gpg: RcChange[] =
    impliesGpg && !changes.some(({ name }) => name === 'USE_GPG') ? [{ name: 'USE_GPG', value: 'Y' }] : []
  return [...changes, ...source, ...hmac, ...gpg, ...keys]
}

/** @param value as it was read before: a value that cannot be read is refused there. */
function inSeconds(value: string, isMinus: boolean): string {
  const text = isMinus ? `-${value}` : value
  const read = clientSettings.TIME_OFFSET(text)
  return read.ok && read.value.timeOffset !== undefined ? String(read.value.timeOffset) : text
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
