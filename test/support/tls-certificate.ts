/** Certificates for tests of TLS, and authorities that sign them. Made by the real `openssl`. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  /** PEM. */
  readonly key: string
  /** PEM. */
  readonly cert: string
}

/** Signs certificates of others. */
export interface Authority extends Certificate {
  /** Arguments as of {@link makeCertificate}. @param subject as `openssl` takes it. */
  issue(names: readonly string[], days?: number, subject?: string): Certificate
}

/** An authority that nobody trusts yet. */
export function makeAuthority(name: string): Authority {
  const own = inFolder((keyFile, certFile) => {
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ]
    openssl([...request, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile])
  })
  return {
    ...own,
    issue: (names, days = 2, subject = '/CN=test') =>
      inFolder((keyFile, certFile, folder) => {
        const [authority, authorityKey] = [join(folder, 'ca.pem'), join(folder, 'ca.key')]
        writeFileSync(authority, own.cert)
        writeFileSync(authorityKey, own.key, { mode: 0o600 })
        const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
        const about = ['-subj', subject, '-addext', `subjectAltName=${names.join(',')}`]
        openssl([...request, ...about, '-keyout', keyFile, '-out', join(folder, 'request')])
        const sign = ['x509', '-req', '-in', join(folder, 'request'), '-copy_extensions', 'copy', '-days', String(days)]
        openssl([...sign, '-CA', authority, '-CAkey', authorityKey, '-CAcreateserial', '-out', certFile])
      }),
  }
}

/**
 * It signs itself, so it is its authority too.
 * @param names `DNS:spa.example`, `IP:127.0.0.1`. @param days how long it is valid; negative: it has expired.
 */
export function makeCertificate(names: readonly string[], days = 2): Certificate {
  return inFolder((keyFile, certFile) => {
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const about = ['-subj', '/CN=test', '-addext', `subjectAltName=${names.join(',')}`]
    openssl([...request, ...about, '-keyout', keyFile, '-out', certFile])
    openssl(['x509', '-in', certFile, '-signkey', keyFile, '-days', String(days), '-out', certFile])
  })
}

function inFolder(make: (keyFile: string, certFile: string, folder: string) => void): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-tls-'))
  try {
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    make(keyFile, certFile, folder)
    return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function openssl(argv: readonly string[]): void {
  const { status, stderr, error } = spawnSync('openssl', argv, { encoding: 'utf8' })
  assert.equal(status, 0, stderr || error?.message)
}
