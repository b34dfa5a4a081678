/** `ghostport policy install` beside the real firewalld: refused, with what to do there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HostLab, hostLabUnavailable } from '../../support/host-lab.ts'

test('the policy is refused beside firewalld', { skip: hostLabUnavailable() }, async () => {
  await using lab = await HostLab.boot('bookworm', ['firewalld'])
  assert.equal(lab.console('npm install -g --ignore-scripts /root/ghostport-*.tgz').status, 0)
  assert.equal(lab.console('systemctl start firewalld').status, 0)
  const { status, stdout, stderr } = lab.console('ghostport policy install --i-have-a-console')
  assert.equal(status, 78)
  assert.match(stderr, /firewalld manages the firewall of this host.*\[POLICY_CONFLICT\]/)
  assert.match(stdout, /firewall-cmd --permanent --add-port=22\/tcp\nfirewall-cmd --reload\n.*FIREWALL_MODE gate;/s)
  assert.notEqual(lab.console('nft list table inet ghostport_policy').status, 0)
})
