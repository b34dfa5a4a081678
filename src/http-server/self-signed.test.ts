import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect, createServer } from 'node:tls'
import fc from 'fast-check'
import { type UnixSeconds, unixSeconds } from '../units.ts'
import { makeSelfSigned } from './self-signed.ts'

const NOW = unixSeconds(1_795_410_748)
const serial = (first: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? first : i))

describe('a certificate that signs itself', () => {
  it('is what OpenSSL and Node read it as', () => {
    const { cert } = makeSelfSigned(['gate.example', '192.0.2.1', '2001:db8::1'], NOW, serial(0xff))
    const read = new X509Certificate(cert)
    assert.equal(read.subject, 'CN=gate.example')
    assert.equal(read.issuer, read.subject)
    assert.equal(read.subjectAltName, 'DNS:gate.example, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1')
    assert.equal(read.ca, false)
    assert.equal(read.serialNumber, 'FF0102030405060708090A0B0C0D0E0F')
    assert.ok(read.verify(read.publicKey))
    assert.equal(read.validFromDate.getTime() / 1000, NOW - 86_400)
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-cert-'))
    try {
      writeFileSync(join(folder, 'cert.pem'), cert)
      const verify = ['verify', '-x509_strict', '-purpose', 'sslserver', '-attime', `${NOW}`, '-partial_chain']
      const { stdout, stderr } = spawnSync(
        'openssl',
        [...verify, '-CAfile', join(folder, 'cert.pem'), join(folder, 'cert.pem')],
        {
          encoding: 'utf8',
        },
      )
      assert.match(stdout, /: OK$/m, stderr)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('serves TLS, to a client that trusts it, under its names only', async () => {
    const made = makeSelfSigned(['localhost'], unixSeconds(Math.floor(Date.now() / 1000)), serial(1))
    const server = createServer(made, (socket) => socket.end('hello'))
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })
    const tried = (servername: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect({ host: '127.0.0.1', port, servername, ca: made.cert })
        socket.once('data', (data) => resolve(data.toString()))
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
      })
    assert.equal(await tried('localhost'), 'hello')
    assert.equal(await tried('other.example'), 'ERR_TLS_CERT_ALTNAME_INVALID')
    await new Promise((resolve) => server.close(resolve))
  })

  it('is readable for all times and serial numbers', () => {
    const times = fc.integer({ min: 100_000, max: 4_000_000_000 }).map((it) => it as UnixSeconds)
    fc.assert(
      fc.property(times, fc.uint8Array({ minLength: 16, maxLength: 16 }), (now, bytes) => {
        const read = new X509Certificate(makeSelfSigned(['a'], now, bytes).cert)
        assert.equal(BigInt(`0x${read.serialNumber}`), BigInt(`0x${Buffer.from(bytes).toString('hex')}`))
        assert.equal(read.validFromDate.getTime() / 1000, now - 86_400)
        assert.equal(read.validToDate.getTime() / 1000, now + 315_360_000)
      }),
      { numRuns: 50 },
    )
  })
})
