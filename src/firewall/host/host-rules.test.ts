import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MARK } from '../../config/server/firewall-settings.ts'
import { hostRules, USUAL_CHAINS } from './host-rules.ts'

test('the rule of each host, word for word', () => {
  const lines = (host: Parameters<typeof hostRules>[0]): readonly string[] =>
    hostRules(host, DEFAULT_MARK).flatMap((rule) => rule.lines)
  assert.deepEqual(lines({ kind: 'nft', chains: USUAL_CHAINS }), [
    'nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept',
    'nft insert rule inet filter forward ct mark and 0x200000 == 0x200000 accept',
  ])
  assert.deepEqual(lines({ kind: 'iptables' }), [
    'iptables -I INPUT 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    'iptables -I FORWARD 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    'ip6tables -I INPUT 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    'ip6tables -I FORWARD 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
  ])
  assert.deepEqual(lines({ kind: 'ufw' }), [
    '-A ufw-before-input -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    '-A ufw-before-forward -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    '-A ufw6-before-input -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    '-A ufw6-before-forward -m connmark --mark 0x200000/0x200000 -j ACCEPT',
  ])
  assert.deepEqual(lines({ kind: 'firewalld' }), [
    'nft insert rule inet firewalld filter_INPUT ct mark and 0x200000 == 0x200000 accept',
    'nft insert rule inet firewalld filter_FORWARD ct mark and 0x200000 == 0x200000 accept',
  ])
})
