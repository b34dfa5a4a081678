/** The variables of a stanza that have an effect: what each sets, and how its value reads. */

import type { AccountName } from '../../access/command.ts'
import { type CommandPattern, parseCommandPattern } from '../../access/command-pattern.ts'
import { parseTemplate, type Template } from '../../access/cycle.ts'
import type { Fingerprint, GnupgKeyId } from '../../access/signature.ts'
import type { NatTargetRule, Stanza } from '../../access/stanza.ts'
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import type { IpAddress } from '../../packet/address.ts'
import { cannotBeHost } from '../../packet/address-kinds.ts'
import { DIGEST_TYPES, type DigestType, parseDigestType } from '../../packet/digest-type.ts'
import { ENCRYPTION_MODES, type EncryptionMode, parseEncryptionMode } from '../../packet/encryption-mode.ts'
import { DecryptionPassphrase, EncryptionKey, HmacKey } from '../../packet/key.ts'
import { type KeyKind, parseKeyBase64, parseKeyText } from '../../packet/key-text.ts'
import type { ProtocolPort, Username } from '../../packet/message.ts'
import { parseUsername } from '../../packet/username.ts'
import { ok, type Result } from '../../result.ts'
import { type PortRange, type Seconds, seconds, type UnixSeconds, unixSeconds } from '../../units.ts'
import { nearest } from '../reading/nearest.ts'
import type { SettingLine } from '../reading/setting-lines.ts'
import {
  accountName,
  addressValue,
  hostAddressValue,
  invalidValue,
  networksValue,
  portRangesValue,
  portValue,
  protocolPortsValue,
  type ValueFailure,
  type ValueReader,
  wholeNumber,
  yesNo,
} from '../reading/setting-values.ts'
import { nodePatterns } from '../server/cluster-settings.ts'
import type { UsedStanzaSetting } from './access-setting-names.ts'
import { fingerprints, gnupgKeyNames, gnupgPath, remoteIds } from './gnupg-settings.ts'
import { natTargetsValue } from './nat-targets.ts'

/** What the lines of a stanza say, before defaults. Two variables that set the same thing exclude each other. */
export interface StanzaDraft {
  name?: StanzaName
  sources?: Stanza['sources']
  destinations?: Stanza['destinations']
  spaPorts?: readonly PortRange[]
  openPorts?: readonly ProtocolPort[]
  restrictPorts?: readonly ProtocolPort[]
  encryptionKey?: EncryptionKey
  hmacKey?: HmacKey
  hmacType?: DigestType
  mode?: EncryptionMode | 'asymmetric'
  timeout?: Seconds
  maxTimeout?: Seconds
  requireUsername?: Username
  requireSourceAddress?: boolean
  requirePacketSource?: boolean
  expires?: UnixSeconds
  forceNat?: NonNullable<Stanza['forceNat']>
  forceSnat?: IpAddress
  forceMasquerade?: boolean
  forwardAll?: boolean
  disableDnat?: boolean
  natTargets?: readonly NatTargetRule[]
  clusterRequired?: boolean
  gates?: readonly string[]
  fromCluster?: boolean
  runsCommands?: boolean
  commandUser?: AccountName
  commandGroup?: AccountName
  usesSudo?: boolean
  sudoUser?: AccountName
  sudoGroup?: AccountName
  commandPattern?: CommandPattern
  cycleOpen?: Template
  cycleClose?: Template | 'none'
  cycleTimer?: Seconds
  cycleUser?: AccountName
  cycleGroup?: AccountName
  gnupgHome?: string
  gnupgProgram?: string
  decryptIds?: readonly string[]
  decryptPassphrase?: DecryptionPassphrase
  allowNoPassphrase?: boolean
  requireSignature?: boolean
  disableSignature?: boolean
  ignoreSignatureErrors?: boolean
  remoteIds?: readonly GnupgKeyId[]
  fingerprints?: readonly Fingerprint[]
}

/** The line that set each field. */
export type LineOfField = { [Field in keyof StanzaDraft]?: SettingLine }

interface StanzaSetting {
  readonly sets: keyof StanzaDraft
  readonly read: ValueReader<unknown>
}

function setting<Field extends keyof StanzaDraft>(
  sets: Field,
  read: ValueReader<NonNullable<StanzaDraft[Field]>>,
): StanzaSetting {
  return { sets, read }
}

export const stanzaSettings: Readonly<Record<UsedStanzaSetting, StanzaSetting>> = {
  SOURCE: setting('sources', networksValue),
  NAME: setting('name', parseStanzaName),
  DESTINATION: setting('destinations', networksValue),
  SPA_PORT: setting('spaPorts', portRangesValue),
  OPEN_PORTS: setting('openPorts', protocolPortsValue('leave OPEN_PORTS out, which allows every port')),
  RESTRICT_PORTS: setting('restrictPorts', protocolPortsValue('OPEN_PORTS with the ports that are allowed')),
  KEY: setting('encryptionKey', rawKey(EncryptionKey, 'KEY_BASE64')),
  KEY_BASE64: setting('encryptionKey', base64Key(EncryptionKey, 'KEY')),
  HMAC_KEY: setting('hmacKey', rawKey(HmacKey, 'HMAC_KEY_BASE64')),
  HMAC_KEY_BASE64: setting('hmacKey', base64Key(HmacKey, 'HMAC_KEY')),
  HMAC_DIGEST_TYPE: setting('hmacType', digestType),
  ENCRYPTION_MODE: setting('mode', encryptionMode),
  FW_ACCESS_TIMEOUT: setting('timeout', lifetime),
  MAX_FW_TIMEOUT: setting('maxTimeout', lifetime),
  REQUIRE_USERNAME: setting('requireUsername', username),
  REQUIRE_SOURCE_ADDRESS: setting('requireSourceAddress', yesNo),
  REQUIRE_SOURCE: setting('requireSourceAddress', yesNo),
  REQUIRE_PACKET_SOURCE: setting('requirePacketSource', yesNo),
  CLUSTER_REQUIRED: setting('clusterRequired', yesNo),
  GATES: setting('gates', nodePatterns),
  FROM_CLUSTER: setting('fromCluster', yesNo),
  ACCESS_EXPIRE: setting('expires', date),
  ACCESS_EXPIRE_EPOCH: setting('expires', epoch),
  FORCE_NAT: setting('forceNat', addressAndPort),
  FORCE_SNAT: setting('forceSnat', hostAddressValue),
  FORCE_MASQUERADE: setting('forceMasquerade', yesNo),
  FORWARD_ALL: setting('forwardAll', yesNo),
  DISABLE_DNAT: setting('disableDnat', yesNo),
  NAT_TARGETS: setting('natTargets', natTargetsValue),
  ENABLE_CMD_EXEC: setting('runsCommands', yesNo),
  CMD_EXEC_USER: setting('commandUser', accountName('user')),
  CMD_EXEC_GROUP: setting('commandGroup', accountName('group')),
  ENABLE_CMD_SUDO_EXEC: setting('usesSudo', yesNo),
  CMD_SUDO_EXEC_USER: setting('sudoUser', accountName('user')),
  CMD_SUDO_EXEC_GROUP: setting('sudoGroup', accountName('group')),
  CMD_REGEX: setting('commandPattern', parseCommandPattern),
  CMD_CYCLE_OPEN: setting('cycleOpen', parseTemplate),
  CMD_CYCLE_CLOSE: setting('cycleClose', (text) => (text === 'NONE' ? ok('none') : parseTemplate(text))),
  CMD_CYCLE_TIMER: setting('cycleTimer', lifetime),
  CMD_CYCLE_USER: setting('cycleUser', accountName('user')),
  CMD_CYCLE_GROUP: setting('cycleGroup', accountName('group')),
  GPG_HOME_DIR: setting('gnupgHome', gnupgPath),
  GPG_EXE: setting('gnupgProgram', gnupgPath),
  GPG_DECRYPT_ID: setting('decryptIds', gnupgKeyNames),
  GPG_DECRYPT_PW: setting('decryptPassphrase', (text) => parseKeyText(DecryptionPassphrase, text)),
  GPG_ALLOW_NO_PW: setting('allowNoPassphrase', yesNo),
  GPG_REQUIRE_SIG: setting('requireSignature', yesNo),
  GPG_DISABLE_SIG: setting('disableSignature', yesNo),
  GPG_IGNORE_SIG_VERIFY_ERROR: setting('ignoreSignatureErrors', yesNo),
  GPG_REMOTE_ID: setting('remoteIds', remoteIds),
  GPG_FINGERPRINT_ID: setting('fingerprints', fingerprints),
}

function rawKey<Key>(kind: KeyKind<Key>, base64Name: string): ValueReader<Key> {
  return (text) => {
    const key = parseKeyText(kind, text)
    if (key.ok || !parseKeyBase64(kind, text).ok) return key
    // Too long as text, but right as base64: the other variable was meant.
    return { ok: false, failure: { ...key.failure, suggestion: `${base64Name} …` } }
  }
}

function base64Key<Key>(kind: KeyKind<Key>, rawName: string): ValueReader<Key> {
  return (text) => {
    const key = parseKeyBase64(kind, text)
    if (key.ok || !parseKeyText(kind, text).ok) return key
    return { ok: false, failure: { ...key.failure, suggestion: `${rawName} …` } }
  }
}

function digestType(text: string): Result<DigestType, ValueFailure> {
  const type = parseDigestType(text)
  return type.ok ? type : invalidValue(type.failure.detail, nearest(text, DIGEST_TYPES))
}

function encryptionMode(text: string): Result<EncryptionMode | 'asymmetric', ValueFailure> {
  const mode = parseEncryptionMode(text)
  if (mode.ok) return mode
  if (text.toLowerCase() === 'asymmetric') return ok('asymmetric')
  return invalidValue(mode.failure.detail, nearest(text, ENCRYPTION_MODES))
}

/** A year. */
const MAX_LIFETIME = 31_536_000
function lifetime(text: string): Result<Seconds, ValueFailure> {
  const value = wholeNumber({ min: 1, max: MAX_LIFETIME, unit: 'seconds' })(text)
  return value.ok ? ok(seconds(value.value)) : value
}

function username(text: string): Result<Username, ValueFailure> {
  const name = parseUsername(text)
  return name.ok ? name : invalidValue(name.failure.detail)
}

/** MM/DD/YYYY: the midnight with which that day begins, in the time zone of the host, as in fwknop. */
function date(text: string): Result<UnixSeconds, ValueFailure> {
  const [, month, day, year] = /^([0-9]{1,2})\/([0-9]{1,2})\/([0-9]{4})$/.exec(text)?.map(Number) ?? []
  if (month === undefined || day === undefined || year === undefined) {
    const [, y, m, d] = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text) ?? []
    return invalidValue(`“${text}” is not a date as MM/DD/YYYY`, y === undefined ? undefined : `${m}/${d}/${y}`)
  }
  const midnight = new Date(year, month - 1, day)
  const exists = midnight.getMonth() === month - 1 && midnight.getDate() === day
  if (!exists || year < 1971)
    return invalidValue(
      `“${text}” is not a day: a date is MM/DD/YYYY, the month first`,
      month > 12 && day <= 12 && date(`${day}/${month}/${year}`).ok ? `${day}/${month}/${year}` : undefined,
    )
  return ok(unixSeconds(midnight.getTime() / 1000))
}

function epoch(text: string): Result<UnixSeconds, ValueFailure> {
  const value = wholeNumber({ min: 1, max: 253_402_300_799, unit: 'seconds since 1970' })(text)
  if (value.ok) return ok(unixSeconds(value.value))
  return invalidValue(value.failure.detail, date(text).ok ? `ACCESS_EXPIRE ${text}` : undefined)
}

/** From `192.168.1.5:22`, `[::1]:22`, and `192.168.1.5 22 tcp`, whose end fwknopd passes over. */
function addressAndPortMeant(text: string): string | undefined {
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-fA-F:]+)\]|([0-9a-fA-F.]+)):([0-9]+)$/.exec(text) ?? /^()(\S+)\s+([0-9]+)\s/.exec(text) ?? []
  const meant = `${bracketed || plain} ${port}`
  return port !== undefined && addressAndPort(meant).ok ? meant : undefined
}

/** `192.168.1.5 22`. */
function addressAndPort(text: string): Result<NonNullable<Stanza['forceNat']>, ValueFailure> {
  const [addressText = '', portText, ...more] = text.split(/\s+/)
  if (portText === undefined || more.length > 0)
    return invalidValue(`“${text}” is not an address and a port, with a blank between`, addressAndPortMeant(text))
  const address = addressValue(addressText)
  if (!address.ok) return address
  const unusable = cannotBeHost(address.value)
  if (unusable !== undefined) return invalidValue(unusable)
  const port = portValue(portText)
  return port.ok ? ok({ address: address.value, port: port.value }) : port
}
