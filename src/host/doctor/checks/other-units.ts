/**
 * Whether the units beside the server do their work: the sockets for its processes, the gate at boot, the
 * policy of the host.
 */
import type { UnitState, Units } from '../../facts/systemd.ts'
import { POLICY_UNIT, POLICY_WATCH } from '../../policy/units.ts'
import { type Answer, defineCheck, type Finding, ifKnown, judged } from '../check.ts'

const GATE = 'ghostport-gate.service'

export const otherUnits = defineCheck({
  code: 'OTHER_UNITS',
  side: 'server',
  question: 'Do the units beside the server do their work?',
  needs: ['units', 'deadMan'],
  judge: ({ units, deadMan }) =>
    ifKnown(units, (states) => judgeOtherUnits(states, deadMan.known && deadMan.value !== undefined)),
})

/** @param waits whether changes wait for a confirmation: units are enabled, and the watch starts, only after that. */
export function judgeOtherUnits(states: Units, waits: boolean): Answer {
  const found = [...sockets(states), ...gate(states), ...(waits ? [] : policy(states))]
  const there = ([...SOCKETS.map(([name]) => name), GATE, POLICY_UNIT, POLICY_WATCH] as const).filter((name) =>
    isLoaded(states.get(name)),
  )
  return judged(found, there.length === 0 ? 'there are none' : there.join(', '))
}

function isLoaded(state: UnitState | undefined): state is UnitState {
  return state?.load === 'loaded'
}

function evidenceOf(name: string, { active, sub, result, enabled }: UnitState): readonly string[] {
  return [`${name} is ${active} (${sub}), ${enabled}`, ...(active === 'failed' ? [`it ended: ${result}`] : [])]
}

/** By these the server asks systemd for its processes. PartOf= stops them with it; it lives on without them. */
const SOCKETS = [
  ['ghostport-receiver.socket', 'the server gets no new receiver: if this one ends, no knock opens anything'],
  [
    'ghostport-helper.socket',
    'the server gets no helper: nobody looks up names, runs GnuPG, delivers webhooks or asks the cluster',
  ],
] as const

function sockets(states: Units): readonly Finding[] {
  if (states.get('ghostport.service')?.active !== 'active') return []
  return SOCKETS.flatMap(([name, then]) => {
    const state = states.get(name)
    if (!isLoaded(state) || state.active === 'active') return []
    return [
      {
        severity: 'error',
        text: `${name} does not listen, so ${then}`,
        evidence: evidenceOf(name, state),
        cure: { command: `systemctl start ${name}` },
      },
    ]
  })
}

function gate(states: Units): readonly Finding[] {
  const state = states.get(GATE)
  if (!isLoaded(state) || state.active !== 'failed') return []
  return [
    {
      severity: 'error',
      text: 'the unit that shuts the gate at boot failed, so the ports were open until the server had started',
      evidence: [...evidenceOf(GATE, state), `journalctl -b -u ${GATE} says why`],
      cure: {
        command: `ghostport unit --gate > /etc/systemd/system/${GATE} && systemctl daemon-reload && systemctl reset-failed ${GATE}`,
      },
    },
  ]
}

function policy(states: Units): readonly Finding[] {
  const [state, watch] = [states.get(POLICY_UNIT), states.get(POLICY_WATCH)]
  if (!isLoaded(state)) return []
  const found: Finding[] = []
  if (state.active !== 'active')
    found.push({
      severity: 'error',
      text: `the unit that loads the policy of this host ${state.active === 'failed' ? 'failed' : 'is stopped'}`,
      evidence: evidenceOf(POLICY_UNIT, state),
      cure: { command: `systemctl restart ${POLICY_UNIT} && systemctl start ${POLICY_WATCH}` },
    })
  else if (isLoaded(watch) && watch.active !== 'active' && watch.active !== 'activating')
    found.push({
      severity: 'warning',
      text: 'nobody puts the policy of this host back when another program removes its table',
      evidence: evidenceOf(POLICY_WATCH, watch),
      cure: { command: `systemctl start ${POLICY_WATCH}` },
    })
  const isOff = (each: UnitState | undefined): boolean => isLoaded(each) && each.enabled === 'disabled'
  if (isOff(state) || isOff(watch))
    found.push({
      severity: 'error',
      text: isOff(state)
        ? 'the policy of this host is not loaded at boot'
        : 'after the next boot, nobody puts the policy of this host back when another program removes its table',
      evidence: [...evidenceOf(POLICY_UNIT, state), ...(watch === undefined ? [] : evidenceOf(POLICY_WATCH, watch))],
      cure: { command: `systemctl enable ${POLICY_UNIT} ${POLICY_WATCH}` },
    })
  return found
}
