/**
 * A certificate that signs itself, for a server whose visitors compare its fingerprint. It is written in DER by hand:
 * one fixed form (RFC 5280 § 4.1) of some 400 bytes. The program `openssl` is not on every host, and a library for all
 * of ASN.1 would be much code that runs once. Key and signature are made by node:crypto.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { addressBytes, type IpAddress, parseAddress } from '../packet/address.ts'
import type { UnixSeconds } from '../units.ts'

export interface KeyAndCertificate {
  /** PEM, PKCS #8. */
  readonly key: string
  /** PEM. */
  readonly cert: string
}

/** A clock that is behind by a day still finds it valid. */
const BEFORE = 86_400
/**
 * Ten years. Its visitors trust the fingerprint and no date: a new certificate would be a new fingerprint for all of
 * them.
 */
const VALID = 10 * 365 * 86_400

/**
 * @param names of the server: host names and addresses, at least one.
 * @param serial 16 random bytes.
 * @returns a key on the curve P-256 and its certificate, which no other certificate can be signed with.
 */
export function makeSelfSigned(names: readonly string[], now: UnixSeconds, serial: Uint8Array): KeyAndCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const der = certificate(names, now, serial, publicKey, privateKey)
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`,
  }
}

function certificate(
  names: readonly string[],
  now: UnixSeconds,
  serial: Uint8Array,
  publicKey: KeyObject,
  privateKey: KeyObject,
): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  // The first name, cut to what the field may hold (ub-common-name). Clients compare subjectAltName.
  const subject = sequence(
    set(sequence(COMMON_NAME, tagged(UTF8_STRING, Buffer.from((names[0] ?? 'ghostport').slice(0, 64))))),
  )
  const tbs = sequence(
    tagged(CONTEXT_0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.from(serial)),
    ECDSA_WITH_SHA256,
    subject, // the issuer
    sequence(time(now - BEFORE), time(now + VALID)),
    subject,
    spki,
    tagged(CONTEXT_3, sequence(...extensions(names, spki))),
  )
  return sequence(tbs, ECDSA_WITH_SHA256, bitString(sign('sha256', tbs, privateKey)))
}

function extensions(names: readonly string[], spki: Buffer): readonly Buffer[] {
  const keyIdentifier = createHash('sha256').update(spki).digest().subarray(0, 20)
  return [
    extension([2, 5, 29, 19], sequence(), true), // basicConstraints: no authority
    extension([2, 5, 29, 15], Buffer.from([BIT_STRING, 2, 7, 0x80]), true), // keyUsage: digitalSignature
    extension([2, 5, 29, 37], sequence(oid([1, 3, 6, 1, 5, 5, 7, 3, 1]))), // extKeyUsage: serverAuth
    extension([2, 5, 29, 14], tagged(OCTET_STRING, keyIdentifier)), // subjectKeyIdentifier
    extension([2, 5, 29, 17], sequence(...names.map(alternativeName))), // subjectAltName
  ]
}

function alternativeName(name: string): Buffer {
  const address = parseAddress(name)
  return address.ok
    ? tagged(0x87, Buffer.from(addressBytes(address.value as IpAddress)))
    : tagged(0x82, Buffer.from(name, 'ascii'))
}

function extension(id: readonly number[], value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [Buffer.from([0x01, 1, 0xff])] : []), tagged(OCTET_STRING, value))
}

const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18
const SEQUENCE = 0x30
const SET = 0x31
const CONTEXT_0 = 0xa0
const CONTEXT_3 = 0xa3

const COMMON_NAME = oid([2, 5, 4, 3])
const ECDSA_WITH_SHA256 = sequence(oid([1, 2, 840, 10045, 4, 3, 2]))

/** Tag, length, content. */
function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(head), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(SEQUENCE, ...parts)
}

function set(...parts: readonly Buffer[]): Buffer {
  return tagged(SET, ...parts)
}

/** A number of 0 or more: a first bit that is set would make it negative, and zeros in front are not allowed. */
function integer(bytes: Buffer): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.subarray(start)
  return tagged(INTEGER, (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits)
}

function bitString(bytes: Buffer): Buffer {
  return tagged(BIT_STRING, Buffer.from([0]), bytes)
}

function oid([first = 0, second = 0, ...more]: readonly number[]): Buffer {
  const bytes = [first * 40 + second]
  for (const arc of more) {
    const digits = [arc & 0x7f]
    for (let rest = arc >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return tagged(OBJECT_IDENTIFIER, Buffer.from(bytes))
}

/** Two digits for the year until 2049, four from then on (RFC 5280 § 4.1.2.5). */
function time(at: number): Buffer {
  const digits = new Date(at * 1000).toISOString().replace(/[-:T]|\.[0-9]{3}/g, '')
  return digits < '2050'
    ? tagged(UTC_TIME, Buffer.from(digits.slice(2)))
    : tagged(GENERALIZED_TIME, Buffer.from(digits))
}
