/** `ghostport policy show`: the policy as a file for nft. */
import { POLICY_TABLE } from '../../firewall/host/cures.ts'
import { renderPolicy } from '../../host/policy/render.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { choosePolicy } from './policy-options.ts'

export function showPolicy(given: Given, terminal: Terminal): Outcome {
  const chosen = choosePolicy(given)
  if (!chosen.ok) return chosen
  const { policy, notes } = chosen.value
  const text = renderPolicy(policy)
  if (given.json > 0) terminal.printJson({ table: `inet ${POLICY_TABLE}`, notes, text })
  else {
    for (const note of notes) terminal.note(`note: ${note}`)
    terminal.print(text.trimEnd().split('\n'))
  }
  return 0
}
