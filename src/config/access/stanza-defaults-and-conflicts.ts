/** From the lines of a block to a {@link Stanza}: defaults, and which variables go together. */
import type { GnupgEncryption, Stanza, StanzaId } from '../../access/stanza.ts'
import { familyOf } from '../../packet/address.ts'
import { DEFAULT_DIGEST_TYPE } from '../../packet/digest-type.ts'
import { DEFAULT_ENCRYPTION_MODE, type EncryptionMode } from '../../packet/encryption-mode.ts'
import { type EncryptionKey, sameKey } from '../../packet/key.ts'
import { ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import { type Seconds, seconds } from '../../units.ts'
import { isClientSetting, refuseClientName } from '../client/fwknoprc-settings.ts'
import { refuseUnknownName, withoutSecrets } from '../reading/hide-keys.ts'
import type { ConfigFailure } from '../reading/notice.ts'
import { RAW_KEYS, type SettingLine } from '../reading/setting-lines.ts'
import { serverSettingNames } from '../server/fwknopd-settings.ts'
import { stanzaSettingNames, type UsedStanzaSetting } from './access-setting-names.ts'
import { type LineOfField, type StanzaDraft, stanzaSettings } from './access-settings.ts'
import { assembleGnupg, GNUPG_DEFAULTS, type GnupgDefaults } from './gnupg-keys.ts'
import { accountLines, assembleCommands, assembleCycle } from './stanza-commands.ts'
import type { NoticesOfStanza, StanzaNotices } from './stanza-notices.ts'

const DEFAULT_TIMEOUT = seconds(30)
const DEFAULT_MAX_TIMEOUT = seconds(300)

/** @param lines the first is SOURCE. */
export function readStanza(
  id: StanzaId,
  lines: readonly SettingLine[],
  notices: StanzaNotices,
  gnupg: GnupgDefaults = GNUPG_DEFAULTS,
): Result<Stanza, ConfigFailure> {
  const draft: StanzaDraft = {}
  const lineOf: LineOfField = {}
  for (const line of lines) {
    const problem = readLine(line, draft, lineOf)
    if (problem !== undefined) return problem
  }
  const start = lines[0]?.at
  if (start === undefined) throw new Error('a stanza without lines')
  return assemble(id, start, draft, lineOf, notices, gnupg)
}

function readLine(line: SettingLine, draft: StanzaDraft, lineOf: LineOfField): Refused<ConfigFailure> | undefined {
  const { name, at } = line
  const setting = Object.hasOwn(stanzaSettings, name) ? stanzaSettings[name as UsedStanzaSetting] : undefined
  if (setting === undefined) return refuseName(line)
  const before = lineOf[setting.sets]
  if (before !== undefined) {
    const same = before.name === name ? `${name} is` : `${name} sets the same as ${before.name}, which is`
    const where = name === 'NAME' ? ': a stanza begins with SOURCE, and its NAME comes after that' : ''
    return refuse('CONFIG_CONFLICT', `${same} already set in line ${before.at.line}${where}`, { at })
  }
  if (line.value === '') return refuse('CONFIG_SYNTAX', `${name} has no value`, { at })
  if (line.trailingBlanks && RAW_KEYS.has(name))
    return refuse(
      'CONFIG_SYNTAX',
      `some versions of fwknop count the blanks at the end of ${name}, and others do not: delete them`,
      {
        at,
      },
    )
  const value = setting.read(line.value)
  if (!value.ok) {
    const failure = withoutSecrets(value.failure, line.value)
    return { ok: false, failure: { ...failure, detail: `${name}: ${failure.detail}`, at } }
  }
  lineOf[setting.sets] = line
  Object.assign(draft, { [setting.sets]: value.value })
  return undefined
}

function refuseName({ name, at }: SettingLine): Refused<ConfigFailure> {
  if (serverSettingNames.includes(name)) return refuse('CONFIG_UNKNOWN_KEY', `${name} belongs in fwknopd.conf`, { at })
  if (isClientSetting(name)) return refuseClientName(name, at)
  return refuseUnknownName('variable', name, stanzaSettingNames, at)
}

function assemble(
  id: StanzaId,
  location: SourceLocation,
  draft: StanzaDraft,
  lineOf: LineOfField,
  notices: StanzaNotices,
  gnupg: GnupgDefaults,
): Result<Stanza, ConfigFailure> {
  const { name } = draft
  const about = notices.about({ id, ...(name === undefined ? {} : { name }) })
  // Before the keys: a review looks at nothing more of a stanza that has none.
  const translation = assembleTranslation(draft, lineOf, about)
  if (!translation.ok) return translation
  const keys = assembleKeys(location, draft, lineOf, gnupg, about)
  if (!keys.ok) return keys
  const commands = assembleCommands(draft, lineOf, about)
  if (!commands.ok) return commands
  const lifetimes = assembleLifetimes(draft, lineOf, about)
  const cycle = assembleCycle(draft, lineOf, lifetimes.timeout, about)
  if (!cycle.ok) return cycle
  if (draft.forwardAll && draft.cycleOpen !== undefined)
    return refuse('CONFIG_CONFLICT', 'FORWARD_ALL is for every port, and CMD_CYCLE_OPEN runs for each port', {
      at: lineOf.forwardAll?.at ?? location,
      suggestion: 'a stanza for each',
    })
  const overCluster = assembleGates(location, draft, lineOf, about)
  if (!overCluster.ok) return overCluster
  const { spaPorts, openPorts, requireUsername, expires, forceNat, natTargets } = draft
  return ok({
    id,
    ...(name === undefined ? {} : { name }),
    location,
    sources: draft.sources ?? 'any',
    destinations: draft.destinations ?? 'any',
    ...(spaPorts === undefined ? {} : { spaPorts }),
    ...keys.value,
    ...(openPorts === undefined ? {} : { openPorts }),
    restrictPorts: draft.restrictPorts ?? [],
    ...lifetimes,
    ...(requireUsername === undefined ? {} : { requireUsername }),
    requireSourceAddress: draft.requireSourceAddress ?? false,
    requirePacketSource: draft.requirePacketSource ?? false,
    ...(draft.clusterRequired === false && { withoutCluster: true as const }),
    ...overCluster.value,
    ...(expires === undefined ? {} : { expires }),
    ...(forceNat === undefined ? {} : { forceNat }),
    ...translation.value,
    ...(draft.forwardAll && { forwardAll: true as const }),
    ...(draft.disableDnat && { disableDnat: true as const }),
    ...(natTargets === undefined ? {} : { natTargets }),
    ...commands.value,
    ...cycle.value,
    ...accountLines(lineOf),
  })
}

/** What a stanza grants at other nodes, and what it opens for them. */
function assembleGates(
  start: SourceLocation,
  { name, gates, fromCluster, cycleOpen, openPorts }: StanzaDraft,
  lineOf: LineOfField,
  about: NoticesOfStanza,
): Result<Pick<Stanza, 'gates' | 'fromCluster'>, ConfigFailure> {
  const setting = gates === undefined ? 'FROM_CLUSTER' : 'GATES'
  const at = (gates === undefined ? lineOf.fromCluster?.at : lineOf.gates?.at) ?? start
  if (gates === undefined && fromCluster !== true) return ok({})
  if (name === undefined)
    return refuse('CONFIG_MISSING_KEY', `${setting} needs a NAME: nodes know each other’s stanzas by it`, {
      ...{ at, suggestion: 'NAME alice' },
    })
  if (cycleOpen !== undefined)
    return refuse(
      'CONFIG_CONFLICT',
      `${setting} is for ports that the firewall opens, and CMD_CYCLE_OPEN runs programs`,
      {
        ...{ at, suggestion: 'a stanza for each' },
      },
    )
  if (fromCluster === true && openPorts === undefined) about.add('clusterAnyPort', lineOf.fromCluster?.at ?? start)
  return ok({ ...(gates !== undefined && { gates }), ...(fromCluster && { fromCluster: true as const }) })
}

function assembleKeys(
  start: SourceLocation,
  draft: StanzaDraft,
  lineOf: LineOfField,
  defaults: GnupgDefaults,
  notices: NoticesOfStanza,
): Result<Pick<Stanza, 'encryption' | 'alsoGnupg' | 'hmac'>, ConfigFailure> {
  const { encryptionKey, hmacKey, hmacType, mode = DEFAULT_ENCRYPTION_MODE } = draft
  const gnupg = assembleGnupg(start, draft, lineOf, defaults, notices)
  if (!gnupg.ok) return gnupg
  if (encryptionKey === undefined && gnupg.value === undefined)
    return refuse('CONFIG_MISSING_KEY', 'the stanza has no key', { at: start, suggestion: 'KEY_BASE64 …' })
  const encryption = withSymmetric(encryptionKey, mode, gnupg.value)
  if (mode === 'ECB') notices.add('ecb', lineOf.mode?.at ?? start)
  if (hmacKey === undefined) {
    if (hmacType !== undefined)
      return refuse('CONFIG_MISSING_KEY', 'HMAC_DIGEST_TYPE has no effect without an HMAC key', {
        at: lineOf.hmacType?.at ?? start,
        suggestion: 'HMAC_KEY_BASE64 …',
      })
    notices.add(mode === 'CTR' || mode === 'OFB' || mode === 'CFB' ? 'forgeable' : 'noHmac', start)
    return ok(encryption)
  }
  if (encryptionKey !== undefined && sameKey(encryptionKey, hmacKey))
    return refuse('CONFIG_CONFLICT', 'the HMAC key is the same as the encryption key: use two different keys', {
      at: lineOf.hmacKey?.at ?? start,
    })
  const type = hmacType ?? DEFAULT_DIGEST_TYPE
  if (type === 'md5' || type === 'sha1') notices.add('weakHmac', lineOf.hmacType?.at ?? start)
  return ok({ ...encryption, hmac: { key: hmacKey, type } })
}

/** A stanza may have a symmetric key, GnuPG, or both; at least one is there. */
function withSymmetric(
  key: EncryptionKey | undefined,
  mode: EncryptionMode | 'asymmetric',
  gnupg: GnupgEncryption | undefined,
): Pick<Stanza, 'encryption' | 'alsoGnupg'> {
  if (key !== undefined) {
    const symmetric = { kind: 'symmetric', key, mode: mode === 'asymmetric' ? DEFAULT_ENCRYPTION_MODE : mode } as const
    return { encryption: symmetric, ...(gnupg !== undefined && { alsoGnupg: gnupg }) }
  }
  if (gnupg === undefined) throw new Error('a stanza without keys')
  return { encryption: gnupg }
}

/** FW_ACCESS_TIMEOUT above MAX_FW_TIMEOUT is cut; fwknopd says that it does so, and does not. */
function assembleLifetimes(
  { timeout, maxTimeout = DEFAULT_MAX_TIMEOUT }: StanzaDraft,
  lineOf: LineOfField,
  notices: NoticesOfStanza,
): { timeout: Seconds; maxTimeout: Seconds } {
  if (timeout !== undefined && timeout > maxTimeout && lineOf.timeout !== undefined)
    notices.add('timeoutCut', lineOf.timeout.at)
  return { timeout: seconds(Math.min(timeout ?? DEFAULT_TIMEOUT, maxTimeout)), maxTimeout }
}

/** FORCE_SNAT before FORCE_MASQUERADE. Each needs FORCE_NAT or FORWARD_ALL, as in fwknop. */
function assembleTranslation(
  { forceNat, forceSnat, forceMasquerade = false, forwardAll = false }: StanzaDraft,
  lineOf: LineOfField,
  notices: NoticesOfStanza,
): Result<Pick<Stanza, 'forceTranslation'>, ConfigFailure> {
  const line = lineOf.forceSnat ?? (forceMasquerade ? lineOf.forceMasquerade : undefined)
  if (line === undefined) return ok({})
  const { at } = line
  if (forceNat === undefined && !forwardAll)
    return refuse('CONFIG_CONFLICT', `${line.name} needs FORCE_NAT or FORWARD_ALL`, {
      at,
      suggestion: 'FORCE_NAT ADDRESS PORT',
    })
  if (forceSnat === undefined) return ok({ forceTranslation: 'masquerade' })
  if (forceMasquerade && lineOf.forceMasquerade !== undefined) notices.add('snatWins', lineOf.forceMasquerade.at)
  if (forceNat !== undefined && familyOf(forceSnat) !== familyOf(forceNat.address))
    return refuse(
      'CONFIG_CONFLICT',
      `FORCE_SNAT ${forceSnat} and FORCE_NAT ${forceNat.address} are not both IPv4 or both IPv6`,
      { at },
    )
  return ok({ forceTranslation: { snat: forceSnat } })
}
