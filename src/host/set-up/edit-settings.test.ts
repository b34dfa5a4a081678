import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { withSettings } from './edit-settings.ts'

const gate = { FIREWALL_MODE: 'gate', PROTECTED_PORTS: 'tcp/22' }
const LINES = 'FIREWALL_MODE           gate;\nPROTECTED_PORTS         tcp/22;\n'

for (const [what, before, after] of [
  ['a new file', '', LINES],
  ['lines of others stay', '# mine\nSPA_PORTS 1;\n', `# mine\nSPA_PORTS 1;\n${LINES}`],
  ['a last line without an end', 'SPA_PORTS 1;', `SPA_PORTS 1;\n${LINES}`],
  [
    'another value is replaced in its place',
    'FIREWALL_MODE mark;\nX\n',
    `FIREWALL_MODE           gate;\nX\nPROTECTED_PORTS         tcp/22;\n`,
  ],
  [
    'the same value in other words stays',
    'FIREWALL_MODE  gate\nPROTECTED_PORTS: tcp/22;\n',
    'FIREWALL_MODE  gate\nPROTECTED_PORTS: tcp/22;\n',
  ],
  ['a comment is no setting', '#FIREWALL_MODE mark;\n', `#FIREWALL_MODE mark;\n${LINES}`],
  [
    'a second line would contradict',
    'FIREWALL_MODE mark;\nFIREWALL_MODE mark;\n',
    'FIREWALL_MODE           gate;\n# FIREWALL_MODE mark;\nPROTECTED_PORTS         tcp/22;\n',
  ],
] as const)
  it(what, () => assert.equal(withSettings(before, gate), after))

it('a second time changes nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'FIREWALL_MODE mark;:\n# ') }), (text) => {
      const once = withSettings(text, gate)
      return withSettings(once, gate) === once
    }),
  )
})
