/**
 * Keys that end: those that “ghostport user rotate” replaced, and those of stanzas with an end. Who still uses them.
 */
import type { Stanza } from '../../../access/stanza.ts'
import { ownerOfOldKeys } from '../../../config/access/old-keys.ts'
import type { UsesAnswer } from '../../../daemon/warden/warden.ts'
import type { UnixSeconds } from '../../../units.ts'
import type { Known } from '../../known.ts'
import { type Answer, defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'

export const oldKeys = defineCheck({
  code: 'OLD_KEYS',
  side: 'server',
  question: 'Does every device knock with keys that go on working?',
  needs: ['configuration', 'keyUses', 'today'],
  judge: ({ configuration, keyUses, today }) =>
    ifKnown(configuration, ({ loaded }) =>
      loaded === undefined
        ? notChecked('the configuration is not good')
        : judgeOldKeys(loaded.policy.stanzas, keyUses, today),
    ),
})

/** In seconds. */
const SOON = 7 * 86_400
/** How many stanzas are told one by one. */
const MOST_TOLD = 20

type Told = Pick<UsesAnswer, 'since' | 'uses'>

export function judgeOldKeys(
  stanzas: readonly Pick<Stanza, 'name' | 'expires'>[],
  keyUses: Known<Told>,
  now: UnixSeconds,
): Answer {
  const uses = keyUses.known ? keyUses.value.uses : {}
  const ending = stanzas.flatMap(({ name, expires }) =>
    // A stanza that was disabled ended in 1970.
    name === undefined || expires === undefined || expires <= 1 ? [] : [{ name, expires, use: uses[name] }],
  )
  const findings = ending.flatMap((one) => judge(one, now))
  const rest = findings.length - MOST_TOLD
  const told = findings.slice(0, MOST_TOLD)
  if (rest > 0) told.push({ severity: 'hint', text: `${rest} more keys end, or have ended`, evidence: [LIST] })
  if (findings.length > 0) return judged(told, '')
  // Without the server, a device with keys that ended cannot be seen.
  if (!keyUses.known) return ending.length === 0 ? judged([], 'no keys end') : notChecked(keyUses.because)
  const overlaps = ending.filter(({ name, expires }) => ownerOfOldKeys(name) !== undefined && expires > now).length
  return judged(
    [],
    overlaps === 0
      ? `no device used old keys since ${keyUses.value.since}`
      : `${overlaps} old keys still open, and no device used them since ${keyUses.value.since}`,
  )
}

const LIST = '“ghostport user list” has all'

function judge(
  {
    name,
    expires,
    use,
  }: { readonly name: string; readonly expires: UnixSeconds; readonly use: Told['uses'][string] | undefined },
  now: UnixSeconds,
): readonly Finding[] {
  const owner = ownerOfOldKeys(name)
  const end = new Date(expires * 1000).toISOString().replace('.000Z', 'Z')
  const isOver = expires <= now
  // A knock in time says nothing of the device today.
  const knocksInVain = isOver && use !== undefined && Date.parse(use.time) >= expires * 1000
  const evidence = [
    `${name} ${isOver ? 'ended' : 'ends'} at ${end}`,
    ...(use === undefined ? [] : [`last knock: ${use.time} from ${use.source}`]),
  ]
  if (owner !== undefined) {
    if (use === undefined || (isOver && !knocksInVain)) return []
    if (isOver)
      return [
        {
          severity: 'warning',
          text: `a device of ${owner} knocks with old keys that have ended, and is refused`,
          evidence,
          cure: {
            advice: `give the device the new profile of ${owner}, or make another: ghostport user rotate ${owner}`,
          },
        },
      ]
    return [
      {
        severity: expires - now <= SOON ? 'warning' : 'hint',
        text: `a device of ${owner} still uses the old keys, and is shut out when they end`,
        evidence,
        cure: { advice: `give the device the new profile of ${owner} before then` },
      },
    ]
  }
  if (isOver && !knocksInVain) return []
  if (!isOver && expires - now > SOON) return []
  return [
    {
      severity: isOver ? 'warning' : 'hint',
      text: isOver ? `${name} has ended, and still knocks` : `${name} ends within a week`,
      evidence,
      cure: {
        advice: `if ${name} is to go on, give the stanza another ACCESS_EXPIRE; else: ghostport user remove ${name}`,
      },
    },
  ]
}
