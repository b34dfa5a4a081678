/**
 * The vectors of fwknop-2.6.10.json for the packet layer: packets and the keys of the server's stanza. Runs in a
 * browser too.
 */
import { latin1Bytes } from '../../src/bytes/text.ts'
import { type DigestType, parseDigestType } from '../../src/packet/digest-type.ts'
import { type EncryptionMode, parseEncryptionMode } from '../../src/packet/encryption-mode.ts'
import type { HttpAcceptance } from '../../src/packet/envelope.ts'
import { EncryptionKey, HmacKey } from '../../src/packet/key.ts'
import { parseKeyBase64, parseKeyText } from '../../src/packet/key-text.ts'
import type { PacketKeys } from '../../src/packet/open.ts'

/** A vector as the file has it. */
export interface RawVector {
  readonly name: string
  readonly category: string
  readonly expect: 'accept' | 'reject'
  readonly mode: 'rijndael' | 'gpg'
  readonly packet: string
  readonly fields: ({ readonly message?: string } & Readonly<Record<string, string | number | null>>) | null
  readonly server: { readonly access_conf: string | null; readonly conf?: { readonly ENABLE_SPA_OVER_HTTP?: string } }
}

export interface PacketVector extends Pick<RawVector, 'name' | 'category' | 'expect' | 'fields'> {
  readonly payload: Uint8Array
  readonly http: HttpAcceptance
  readonly commands: boolean
  /** Of each stanza whose keys are valid; fwknopd refuses the others too. */
  readonly stanzas: readonly PacketKeys[]
}

/** All except those made with GnuPG or for a stanza with GnuPG only, and the one whose server does not start. */
export function packetVectors(raw: readonly RawVector[]): readonly PacketVector[] {
  return raw.flatMap(({ name, category, expect, fields, mode, packet, server }) => {
    const accessConf = server.access_conf
    if (mode !== 'rijndael' || accessConf === null || accessConf.includes('GPG_')) return []
    const payload = latin1Bytes(packet)
    if (payload === undefined) throw new Error(`${name} is not Latin-1`)
    return {
      name,
      category,
      expect,
      fields,
      payload,
      http: server.conf?.ENABLE_SPA_OVER_HTTP === 'Y' ? { anyUserAgent: false } : 'off',
      commands: /^ENABLE_CMD_EXEC Y$/m.test(accessConf),
      stanzas: accessConf.split(/^(?=SOURCE )/m).flatMap(keysOf),
    }
  })
}

/** Reads the five key settings of these files; the real parser is tested elsewhere. */
function keysOf(stanza: string): PacketKeys[] {
  const value = (keyword: string) => new RegExp(`^${keyword} (.*)$`, 'm').exec(stanza)?.[1]
  const [text, base64] = [value('KEY'), value('KEY_BASE64')]
  const [hmacText, hmacBase64] = [value('HMAC_KEY'), value('HMAC_KEY_BASE64')]
  const key = text === undefined ? parseKeyBase64(EncryptionKey, base64 ?? '') : parseKeyText(EncryptionKey, text)
  if (!key.ok) return []
  const encryption = { key: key.value, mode: modeNamed(value('ENCRYPTION_MODE') ?? 'CBC') }
  if (hmacText === undefined && hmacBase64 === undefined) return [{ encryption }]
  const hmac = hmacText === undefined ? parseKeyBase64(HmacKey, hmacBase64 ?? '') : parseKeyText(HmacKey, hmacText)
  return hmac.ok
    ? [{ encryption, hmac: { key: hmac.value, type: digestNamed(value('HMAC_DIGEST_TYPE') ?? 'sha256') } }]
    : []
}

function modeNamed(name: string): EncryptionMode {
  const mode = parseEncryptionMode(name)
  if (!mode.ok) throw new Error(mode.failure.detail)
  return mode.value
}

function digestNamed(name: string): DigestType {
  const type = parseDigestType(name)
  if (!type.ok) throw new Error(type.failure.detail)
  return type.value
}
