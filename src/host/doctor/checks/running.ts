/** Whether a server answers at its control socket, and receives packets. */

import type { Units } from '../../facts/systemd.ts'
import type { Known } from '../../known.ts'
import { type Cure, defineCheck, type Finding, ifKnown, judged } from '../check.ts'
import { mendedBy } from '../safe-cures.ts'
import { isNotSetUp, NOT_SET_UP } from './unit.ts'

export const running = defineCheck({
  code: 'RUNNING',
  side: 'server',
  question: 'Does a server run, and answer?',
  needs: ['status', 'units', 'serviceStart', 'ownState'],
  judge: ({ status, units, serviceStart, ownState }) =>
    ifKnown(status, (found) => {
      const isSafe = serviceStart.known && serviceStart.value
      if (found.status === undefined && hasUnit(units) && isNotSetUp(ownState)) return judged([NOT_SET_UP], '')
      if (found.status === undefined)
        return judged(
          [
            {
              severity: 'error',
              text: 'no server runs, so no knock opens anything',
              evidence: [`nobody answers at ${found.socket}`],
              cure: start(units, isSafe),
            },
          ],
          '',
        )
      const { capturing, gate, receiver, grants, error, startedAt, warden } = found.status
      const mend: Cure = hasUnit(units) ? mendedBy('restart the server', isSafe) : { advice: 'start the server again' }
      const findings: Finding[] = []
      if (gate !== true && (!capturing || receiver === null))
        findings.push({
          severity: 'error',
          text: 'the server runs, but receives no packets',
          evidence: [`receiver: ${receiver === null ? 'none' : `process ${receiver}`}, receiving: ${capturing}`],
          cure: mend,
        })
      if (grants === null)
        findings.push({
          severity: 'error',
          text: 'the server cannot read its firewall',
          evidence: [error ?? 'no reason given'],
          cure: mend,
        })
      if (found.status.cluster?.usable === false)
        findings.push({
          severity: 'error',
          text: 'the cluster does not answer, so knocks are refused',
          evidence: [`${found.status.cluster.why ?? 'no reason given'}, since ${found.status.cluster.since}`],
          cure: { advice: 'look at etcd, and at the way to it: docs/CLUSTER.md has a table of failures' },
        })
      const { clusterUsers: users, fromCluster } = found.status
      if (fromCluster?.problem !== undefined)
        findings.push({
          severity: 'error',
          text: 'the server opens nothing for other nodes of the cluster, and they open nothing for it',
          evidence: [fromCluster.problem],
          cure: { advice: fromCluster.cure ?? 'docs/CLUSTER.md has a table of failures' },
        })
      if (users?.inSync === false)
        findings.push({
          severity: 'error',
          text: users.outdated
            ? 'the copy of the cluster’s users is too old: their knocks are refused'
            : 'the users of the cluster are not as etcd has them',
          evidence: [`version ${users.version}, ${users.age ?? 'an unknown number of'} s old: ${users.why ?? ''}`],
          cure: { advice: 'docs/CLUSTER.md, “Users of the cluster”, has a table of failures' },
        })
      if (users !== undefined && users.leftOut > 0)
        findings.push({
          severity: 'warning',
          text: 'this node leaves out stanzas of the cluster',
          evidence: [`${users.leftOut} of ${users.stanzas}`],
          cure: { advice: 'read why: ghostport check' },
        })
      const does = gate ? 'opens what other nodes grant' : 'receives packets'
      return judged(findings, `process ${warden} ${does} since ${startedAt}`)
    }),
})

function start(units: Known<Units>, isSafe: boolean): Cure {
  return hasUnit(units)
    ? mendedBy('start the server', isSafe)
    : { advice: 'run “ghostport serve” as root, or install its unit: ghostport help unit' }
}

function hasUnit(units: Known<Units>): boolean {
  return units.known && units.value.get('ghostport.service')?.load === 'loaded'
}
