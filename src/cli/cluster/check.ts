/** `ghostport cluster check`: examines a cluster, as the doctor examines a host. */
import type { Check } from '../../host/doctor/check.ts'
import { statusOf, tallyOf } from '../../host/doctor/doctor.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { checkList, checkListJson, reportJson, reportText } from '../doctor/text.ts'
import { failureJson } from '../terminal/failure-json.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { clusterChecks } from './checks.ts'
import type { ClusterCheck } from './cluster-check.ts'
import { clusterFacts } from './facts.ts'
import { readInCluster } from './host-settings.ts'
import type { Given } from './options.ts'

/** The check itself failed: it cannot say how the cluster is. */
const CHECK_FAILED = 2
const USUAL_DAYS = 30

export async function checkCluster(given: Given, terminal: Terminal): Promise<Outcome> {
  const wanted = wantedChecks(given)
  if (!wanted.ok) return wanted
  const days = daysOf(given)
  if (!days.ok) return days
  if (given.list > 0) {
    const all = clusterChecks.map(asCheck)
    if (given.json > 0) terminal.printJson(checkListJson(all))
    else terminal.print(checkList(all, terminal.style))
    return 0
  }
  const here = readInCluster(given)
  const facts = here.ok ? await clusterFacts(here.value, days.value) : here
  if (!facts.ok) {
    if (given.json > 0) {
      const told = failureJson(facts.failure)
      terminal.printJson({ ...told, error: { ...told.error, exit: CHECK_FAILED } })
    }
    terminal.fail(facts.failure)
    return CHECK_FAILED
  }
  const examined = wanted.value.map((check) => ({ check: asCheck(check), answer: check.judge(facts.value) }))
  const again = [
    'ghostport cluster check',
    ...(given['config-file'] === undefined ? [] : ['-c', given['config-file']]),
  ].join(' ')
  if (given.json > 0) terminal.printJson(reportJson(examined, again))
  else terminal.print(reportText(examined, { again, all: given.all > 0, style: terminal.style }))
  return statusOf(tallyOf(examined), given.strict > 0)
}

/** For the doctor’s text. It has been judged. */
function asCheck({ code, question }: ClusterCheck): Check {
  return { code, question, side: 'cluster', needs: [], judge: () => ({ kind: 'not checked', because: '' }) }
}

function wantedChecks(given: Given): Result<readonly ClusterCheck[]> {
  const codes = given.only.map((code) => code.toUpperCase())
  const unknown = codes.find((code) => !clusterChecks.some((check) => check.code === code))
  if (unknown !== undefined)
    return refuse('CLI_USAGE', `no check has the code “${unknown}”`, { suggestion: 'ghostport cluster check --list' })
  return ok(codes.length === 0 ? clusterChecks : clusterChecks.filter(({ code }) => codes.includes(code)))
}

function daysOf(given: Given): Result<number> {
  const text = given.days ?? `${USUAL_DAYS}`
  return /^[0-9]{1,4}$/.test(text) ? ok(Number(text)) : refuse('CLI_USAGE', `--days: “${text}” is not a number of days`)
}
