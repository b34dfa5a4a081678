import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findDroppingChains, hostWarnings } from './host-check.ts'
import { DEFAULT_MARK, DEFAULT_TABLE } from './settings.ts'

/** As nft 1.0.6 lists it. */
const input = (policy: string, ...rules: string[]): string =>
  [
    '\tchain input {',
    `\t\ttype filter hook input priority 0; policy ${policy};`,
    ...rules.map((rule) => `\t\t${rule}`),
    '\t}',
  ].join('\n')
const table = (head: string, ...chains: string[]): string => `table ${head} {\n${chains.join('\n\n')}\n}\n`
const warningsFor = (listing: string, forwarding = false): readonly string[] =>
  hostWarnings(findDroppingChains(listing, DEFAULT_TABLE, DEFAULT_MARK), DEFAULT_MARK, forwarding)

for (const [what, listing, warnings] of [
  ['nothing at all', '', [/no chain of nftables drops by default/]],
  ['all is accepted', table('inet filter', input('accept', 'tcp dport 22 accept')), [/no chain/]],
  ['only our own gate drops', table('inet ghostport', input('drop')), [/no chain/]],
  ['it drops and knows the mark', table('inet filter', input('drop', 'ct mark & 0x00200000 == 0x00200000 accept')), []],
  [
    'iptables drops and knows the mark',
    table('ip filter', input('drop', 'ct mark and 0x200000 == 0x200000 counter packets 1 bytes 60 accept')),
    [],
  ],
  ['the exact mark', table('inet filter', input('drop', 'ct mark 0x00200000 accept')), []],
  [
    'it drops and does not know',
    table('inet filter', input('drop', 'tcp dport 80 accept')),
    [/^inet filter input will .* add: nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept$/],
  ],
  [
    'it knows another bit',
    table('inet filter', input('drop', 'ct mark & 0x00100000 == 0x00100000 accept')),
    [/still drop/],
  ],
  [
    'it wants more bits',
    table('inet filter', input('drop', 'ct mark & 0x00300000 == 0x00300000 accept')),
    [/still drop/],
  ],
  [
    'it accepts what has no mark',
    table('inet filter', input('drop', 'ct mark & 0x00100000 == 0x00000000 accept')),
    [/still drop/],
  ],
  ['it drops the mark', table('inet filter', input('drop', 'ct mark 0x00200000 drop')), [/still drop/]],
  [
    'it rejects by its last rule',
    table('inet firewalld', input('accept', 'iifname "lo" accept', 'reject with icmpx admin-prohibited')),
    [/inet firewalld input/],
  ],
  [
    'the mark is known in a chain that it jumps to',
    table(
      'ip filter',
      input('drop', 'counter packets 0 bytes 0 jump before'),
      '\tchain before {\n\t\tct mark 0x00200000 accept\n\t}',
    ),
    [],
  ],
  [
    'iptables drops and does not know',
    table('ip6 filter', input('drop').replace('chain input', 'chain INPUT')),
    [/add: ip6tables -I INPUT 1 -m connmark --mark 0x200000\/0x200000 -j ACCEPT$/],
  ],
] as const) {
  test(`${what}: ${warnings.length === 0 ? 'fine' : 'a warning'}`, () => {
    const found = warningsFor(listing)
    assert.equal(found.length, warnings.length, found.join('\n'))
    for (const [i, pattern] of warnings.entries()) assert.match(found[i] ?? '', pattern)
  })
}

test('a forward chain that drops matters where inner hosts may be granted', () => {
  const known = input('drop', 'ct mark 0x00200000 accept')
  const forward = input('drop').replaceAll('input', 'forward')
  const listing = table('inet filter', known) + table('inet docker', forward)
  assert.deepEqual(warningsFor(listing), [])
  assert.match(warningsFor(listing, true)[0] ?? '', /^inet docker forward will/)
})
