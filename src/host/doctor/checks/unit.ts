/** Whether systemd runs the server, starts it at boot, and does so with a unit of this version. */
import { dirname } from 'node:path'
import { type OwnState, USUAL_SETTINGS } from '../../facts/own-state.ts'
import type { UnitState } from '../../facts/systemd.ts'
import type { Known } from '../../known.ts'
import { defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'
import type { UnitFile } from '../looks/unit-file.ts'
import { mendedBy } from '../safe-cures.ts'

const UNIT = 'ghostport.service'
/** As often, systemd has started it again by itself, and there must be a reason. */
const MANY_RESTARTS = 3
/** Lines of a difference that are shown. */
const SHOWN = 6

export const unit = defineCheck({
  code: 'UNIT',
  side: 'server',
  question: 'Does systemd run the server, and start it at boot?',
  needs: ['units', 'unitFile', 'serviceStart', 'ownState'],
  judge: ({ units, unitFile, serviceStart, ownState }) =>
    ifKnown(units, (states) => {
      const state = states.get(UNIT)
      if (state === undefined) return notChecked('systemctl did not say')
      if (state.load === 'not-found') return judged([NO_UNIT], '')
      if (state.load === 'loaded' && state.active === 'inactive' && isNotSetUp(ownState))
        return judged([NOT_SET_UP], '')
      const file = unitFile.known ? unitFile.value : undefined
      const isSafe = serviceStart.known && serviceStart.value
      return judged([...judgeState(state, isSafe), ...(file === undefined ? [] : judgeFile(file))], describe(state))
    }),
})

/** A package that was just installed. */
export const NOT_SET_UP: Finding = {
  severity: 'error',
  text: 'this server is not set up yet',
  evidence: [`there is no ${USUAL_SETTINGS}`],
  cure: { advice: 'set it up: ghostport init' },
}

export function isNotSetUp(ownState: Known<OwnState>): boolean {
  return ownState.known && !ownState.value.files.includes(USUAL_SETTINGS)
}

const NO_UNIT: Finding = {
  severity: 'warning',
  text: 'systemd has no unit for the server, so nothing starts it at boot',
  evidence: [`${UNIT} is not found`],
  cure: {
    command: 'ghostport unit --all /etc/systemd/system && systemctl daemon-reload && systemctl enable --now ghostport',
  },
}

function describe({ active, sub, enabled }: UnitState): string {
  return `${UNIT} is ${active} (${sub}), ${enabled}`
}

/** @param isSafe whether a start shuts no port. */
function judgeState(state: UnitState, isSafe: boolean): readonly Finding[] {
  const { load, active, enabled, result, restarts, needsReload, file } = state
  const found: Finding[] = []
  if (load === 'masked')
    return [
      {
        severity: 'error',
        text: 'the unit of the server is masked, so nothing can start it',
        evidence: [describe(state)],
        cure: {
          command: `systemctl unmask${enabled === 'masked-runtime' ? ' --runtime' : ''} ghostport && systemctl enable --now ghostport`,
        },
      },
    ]
  if (load !== 'loaded')
    return [
      {
        severity: 'error',
        text: `systemd does not accept the unit file of the server (${load})`,
        evidence: [file],
        cure: {
          command: `ghostport unit --all ${dirname(file)} && systemctl daemon-reload && systemctl restart ghostport`,
        },
      },
    ]
  if (active === 'failed')
    found.push({
      severity: 'error',
      text: `the server ended (${result}), and systemd does not start it again`,
      evidence: [describe(state), 'journalctl -u ghostport -n 20 says why'],
      cure: mendedBy('restart the server', isSafe),
    })
  else if (active !== 'active' && active !== 'reloading' && active !== 'activating')
    found.push({
      severity: 'error',
      text: 'the server does not run',
      evidence: [describe(state)],
      cure: mendedBy('start the server', isSafe),
    })
  if (!/^(enabled|static|indirect|alias|generated|linked-runtime|enabled-runtime)$/.test(enabled))
    found.push({
      severity: 'warning',
      text: 'the server does not start at boot',
      evidence: [describe(state)],
      cure: mendedBy('enable the server', active === 'active'),
    })
  if (needsReload)
    found.push({
      severity: 'warning',
      text: 'the unit file was changed, and systemd has not read it again',
      evidence: [file],
      cure: mendedBy('read unit files again'),
    })
  if (restarts >= MANY_RESTARTS)
    found.push({
      severity: 'warning',
      text: `systemd has started the server again ${restarts} times`,
      evidence: [describe(state)],
      cure: { advice: 'read why: journalctl -u ghostport. Once that is mended: systemctl restart ghostport' },
    })
  return found
}

function judgeFile({ path, differences }: UnitFile): readonly Finding[] {
  if (differences.length === 0) return []
  const more = differences.length - SHOWN
  return [
    {
      severity: 'warning',
      text: 'the unit file differs from what “ghostport unit” prints today: it is old, or was changed by hand',
      evidence: [path, ...differences.slice(0, SHOWN), ...(more > 0 ? [`and ${more} more`] : [])],
      cure: {
        command: `ghostport unit --all ${dirname(path)} && systemctl daemon-reload && systemctl restart ghostport`,
      },
    },
  ]
}
