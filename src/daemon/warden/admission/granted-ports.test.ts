import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stanza } from '../../../access/stanza.ts'
import { parseAccessConf } from '../../../config/access/parse-access-conf.ts'
import { formatProtocolPorts } from '../../../packet/protocol-port.ts'
import { ok } from '../../../result.ts'
import { decoyPorts } from './granted-ports.ts'

function stanzas(...lines: string[]): readonly Stanza[] {
  const text = ['SOURCE ANY', 'KEY_BASE64 aGVsbG8=', ...lines, ''].join('\n')
  const files = { read: () => ok(text), readKeys: () => ok(text), list: () => ok([]) }
  const parsed = parseAccessConf('/access.conf', files as unknown as Parameters<typeof parseAccessConf>[1])
  assert.ok(parsed.ok)
  return parsed.value.stanzas
}

for (const [lines, decoys] of [
  [['OPEN_PORTS tcp/22, tcp/80', 'NAT_TARGETS local:22'], 'tcp/80'],
  [['OPEN_PORTS tcp/22, tcp/80', 'NAT_TARGETS local:80'], 'tcp/22'],
  [['OPEN_PORTS tcp/22, tcp/80, tcp/443', 'NAT_TARGETS local'], 'tcp/80,tcp/443'],
  [['OPEN_PORTS tcp/22, tcp/80'], 'tcp/80'],
  [['OPEN_PORTS tcp/22'], ''],
  [[], ''],
] as const)
  test(`${lines.join('; ') || 'nothing'}: ${decoys || 'no port'} may be public`, () => {
    assert.equal(formatProtocolPorts(decoyPorts(stanzas(...lines))), decoys)
  })
