/** A certificate for tests of TLS, which is its own authority. Made by the real `openssl`. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  /** PEM. */
  readonly key: string
  /** PEM. It signs itself, so it is the authority too. */
  readonly cert: string
}

/** @param names `DNS:spa.example`, `IP:127.0.0.1`. @param days how long it is valid; negative: it has expired. */
export function makeCertificate(names: readonly string[], days = 2): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-tls-'))
  try {
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const about = ['-subj', '/CN=test', '-addext', `subjectAltName=${names.join(',')}`]
    openssl([...request, ...about, '-keyout', keyFile, '-out', certFile])
    openssl(['x509', '-in', certFile, '-signkey', keyFile, '-days', String(days), '-out', certFile])
    return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function openssl(argv: readonly string[]): void {
  const { status, stderr, error } = spawnSync('openssl', argv, { encoding: 'utf8' })
  assert.equal(status, 0, stderr || error?.message)
}
