/** Files that the configuration names: secrets, and certificates that say who is trusted. */
import { X509Certificate } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from './errno.ts'
import { judgeStat, judgeTrail, ourUsers } from './file-trust.ts'
import { TO_READ } from './server-file.ts'
import { systemPath } from './system-path.ts'

const LONGEST_SECRET = 64 * 1024
const READ_BY_OTHERS = 0o077

export type UntrustedFile = Failure<'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE'>

/**
 * Reads a secret.
 * @returns CONFIG_EXPOSED if others could read or change it; CONFIG_UNREADABLE, also if it is longer than 64 KiB.
 */
export function readSecretFile(path: string): Result<Buffer, UntrustedFile> {
  return readTrusted(path, LONGEST_SECRET, ({ mode }) =>
    (mode & READ_BY_OTHERS) === 0
      ? undefined
      : refuse('CONFIG_EXPOSED', `${path} can be read by others`, { suggestion: `chmod 600 ${path}` }).failure,
  )
}

/** The first line of a secret, without its end (LF or CRLF). @returns as {@link readSecretFile}. */
export function readSecretLine(path: string): Result<Uint8Array, UntrustedFile> {
  const read = readSecretLines(path)
  return read.ok ? ok(read.value.first) : read
}

/** The same with the second line, if it says anything. */
export function readSecretLines(
  path: string,
): Result<{ readonly first: Uint8Array; readonly second?: Uint8Array }, UntrustedFile> {
  const read = readSecretFile(path)
  if (!read.ok) return read
  const [first, rest] = firstLine(read.value)
  const [second] = firstLine(rest)
  return ok({ first, ...(second.length > 0 && { second }) })
}

/** @returns the line without its end, and what follows. */
function firstLine(bytes: Uint8Array): readonly [line: Uint8Array, rest: Uint8Array] {
  const end = bytes.indexOf(0x0a)
  const line = end < 0 ? bytes : bytes.subarray(0, end)
  return [line.at(-1) === 0x0d ? line.subarray(0, -1) : line, end < 0 ? new Uint8Array() : bytes.subarray(end + 1)]
}

/** The lists of Linux distributions are half as long. */
export const LONGEST_AUTHORITIES = 512 * 1024
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g

/**
 * Reads certificates. Others may read them, and may not change them: they say who is trusted.
 * @returns the certificates, as PEM. CONFIG_EXPOSED if others could change the file; CONFIG_UNREADABLE, also if there
 * is no certificate in it, or one that cannot be read.
 */
export function readCertificates(path: string): Result<string, UntrustedFile> {
  const read = readTrusted(path, LONGEST_AUTHORITIES)
  return read.ok ? certificatesIn(path, read.value.toString('latin1')) : read
}

/** @param judge what more is asked of a file that nobody else can change. */
function readTrusted(
  path: string,
  most: number,
  judge?: (stat: Stats) => UntrustedFile | undefined,
): Result<Buffer, UntrustedFile> {
  try {
    const trail = judgeTrail(path, { owners: ourUsers(), cure: () => 'move the file into /etc/fwknop' })
    if (trail !== undefined) return { ok: false, failure: trail }
    const descriptor = openSync(systemPath(path), TO_READ)
    try {
      const stat = fstatSync(descriptor)
      // A device may have no end.
      if (!stat.isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
      const exposed = judgeStat(path, stat, ourUsers()) ?? judge?.(stat)
      if (exposed !== undefined) return { ok: false, failure: exposed }
      if (stat.size > most) return refuse('CONFIG_UNREADABLE', `${path} is longer than ${most} bytes`)
      return ok(readFileSync(descriptor))
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${systemReason(error)}`)
  }
}

/** @param path for the message. @returns the certificates alone: a private key in the same text stays here. */
export function certificatesIn(path: string, text: string): Result<string, Failure<'CONFIG_UNREADABLE'>> {
  const found = text.match(CERTIFICATE) ?? []
  if (found.length === 0) return refuse('CONFIG_UNREADABLE', `${path} holds no certificate in PEM form`)
  for (const [i, one] of found.entries())
    try {
      new X509Certificate(one)
    } catch {
      return refuse('CONFIG_UNREADABLE', `${path}: certificate ${i + 1} of ${found.length} cannot be read`)
    }
  return ok(`${found.join('\n')}\n`)
}
