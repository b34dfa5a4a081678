/** Whether the units beside the server do their work: the receiver's socket, the gate at boot, the policy of the host. */
import type { UnitState, Units } from '../../facts/systemd.ts'
import { POLICY_UNIT, POLICY_WATCH } from '../../policy/units.ts'
import { type Answer, defineCheck, type Finding, ifKnown, judged } from '../check.ts'

const SOCKET = 'ghostport-receiver.socket'
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
  const found = [...receiverSocket(states), ...gate(states), ...(waits ? [] : policy(states))]
  const there = ([SOCKET, GATE, POLICY_UNIT, POLICY_WATCH] as const).filter((name) => isLoaded(states.get(name)))
  return judged(found, there.length === 0 ? 'there are none' : there.join(', '))
}

function isLoaded(state: UnitState | undefined): state is UnitState {
  return state?.load === 'loaded'
}

function evidenceOf(name: string, { active, sub, result, enabled }: UnitState): readonly string[] {
  return [`${name} is ${active} (${sub}), ${enabled}`, ...(active === 'failed' ? [`it ended: ${result}`] : [])]
}

function receiverSocket(states: Units): readonly Finding[] {
  const [server, socket] = [states.get('ghostport.service'), states.get(SOCKET)]
  if (!isLoaded(socket) || server?.active !== 'active' || socket.active === 'active') return []
  return [
    {
      severity: 'warning',
      text: 'the socket of the receiver does not listen: the next receiver runs in the unit of the server, which confines it less',
      evidence: evidenceOf(SOCKET, socket),
      cure: { command: `systemctl start ${SOCKET}` },
    },
  ]
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
