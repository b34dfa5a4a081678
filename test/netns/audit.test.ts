/**
 * What a running server records in the audit log: revocations, and what reloads changed.
 *
 *   client 10.9.0.1 ── server 10.9.0.2, which drops by default: ssh on tcp/22
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { readAudit, verifyAudit } from '../../src/audit-log/verify.ts'
import { clientAndServer, Daemon, ghostportCommand, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { must } from '../support/results.ts'

const skip = netnsUnavailable()
let net: Network
let client: Host
let server: Host

before(async () => {
  if (skip) return
  net = await Network.create()
  ;[client, server] = await clientAndServer(net)
})
after(() => net?.close())

test('a revocation and two reloads, each with who did it and what changed, and no key', { skip }, async () => {
  const daemon = await Daemon.start(net, server, { access: stanza(['NAME alice']) })
  const log = daemon.path('state/audit.log')
  assert.deepEqual(must(readAudit(log)), [])
  await daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1'))
  server.must(ghostportCommand('revoke', '--socket', daemon.path('state/control.sock'), 'alice'))
  const isAudit = ({ event }: { event: string }): boolean => event === 'audit'
  await daemon.until(isAudit)

  const from = daemon.events.length
  writeFileSync(daemon.path('access.conf'), stanza(['NAME alice', 'FW_ACCESS_TIMEOUT 7', '# a note of mine']))
  daemon.reload()
  const first = await daemon.until(isAudit, from)
  const options = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
  server.must(ghostportCommand('user', 'disable', 'alice', ...options))
  const last = await daemon.until((event) => isAudit(event) && event['number'] === 5)

  const [revoked, edited, disabled, reloaded, after] = must(readAudit(log))
  assert.deepEqual([revoked?.did, revoked?.to, revoked?.before], ['revoke', 'alice', ['tcp/22 for 10.9.0.1, alice']])
  assert.equal(revoked?.by.uid, 0)
  assert.deepEqual([edited?.did, edited?.by.via], ['reload', 'signal'])
  assert.deepEqual([edited?.before, edited?.after], [[], ['FW_ACCESS_TIMEOUT 7', '# [a comment]']])
  assert.deepEqual([disabled?.did, disabled?.by.via], ['user disable', 'command'])
  assert.deepEqual([reloaded?.did, reloaded?.by.via, reloaded?.after], ['reload', 'control socket', disabled?.after])
  assert.equal(after?.did, 'revoke')
  const { last: head, findings } = must(verifyAudit(log))
  assert.deepEqual(findings, [])
  // The log of the server is the witness.
  assert.deepEqual([first['number'], last['number'], last['hash']], [2, 5, head?.hash])
  await daemon.stop()
})

test('where nothing can be recorded, a revocation is carried out all the same, and the log says so', {
  skip,
}, async () => {
  const daemon = await Daemon.start(net, server, {
    server: ['AUDIT_LOG /proc/audit.log'],
    access: stanza(['NAME alice']),
  })
  await daemon.verdictAfter(() => knock(client, SERVER, '-A', 'tcp/22', '-a', '10.9.0.1'))
  server.must(ghostportCommand('revoke', '--socket', daemon.path('state/control.sock'), 'alice'))
  assert.deepEqual(daemon.status().grants, [])
  assert.equal((await daemon.until(({ event }) => event === 'audit')).code, 'AUDIT_FAILED')
  await daemon.stop()
})
