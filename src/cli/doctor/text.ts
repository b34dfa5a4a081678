/** What `ghostport doctor` prints: findings first to the eye, one line of summary at the end; and the same as JSON. */
import { type Check, type Finding, type Side, severities } from '../../host/doctor/check.ts'
import { type Examined, type Tally, tallyOf } from '../../host/doctor/doctor.ts'
import { type Line, line, type MarkedText, type Style } from '../terminal/line.ts'

const SIDES: Readonly<Record<Side, string>> = {
  ...{ server: 'the server', client: 'the client', host: 'this host' },
  cluster: 'the cluster',
}
const ORDER: readonly Side[] = ['server', 'client', 'host', 'cluster']

export interface TextOptions {
  /** The command that examines the same again, without `--only`. */
  readonly again: string
  /** Whether good answers are shown too. */
  readonly all: boolean
  readonly style: Style
}

export function reportText(examined: readonly Examined[], options: TextOptions): readonly Line[] {
  const { style } = options
  const sections = ORDER.flatMap((side) => {
    const told = examined.filter(({ check }) => check.side === side)
    const lines = told.flatMap((each) => describe(each, options))
    const fine = told.filter(({ answer }) => answer.kind === 'good').map(({ check }) => check.code)
    const shown = options.all || fine.length === 0 ? [] : [line`  ${style.good('good')}: ${fine.join(', ')}`]
    return lines.length + shown.length === 0 ? [] : [style.bold(SIDES[side]), ...lines, ...shown, '']
  })
  return [...sections, summary(tallyOf(examined), style)]
}

function describe({ check: { code, question }, answer }: Examined, options: TextOptions): readonly Line[] {
  const { again, all, style } = options
  const asked = line`${question} ${style.dim(`[${code}]`)}`
  if (answer.kind === 'good') return all ? [line`  ${style.good('good')}: ${asked}`, `      seen: ${answer.seen}`] : []
  if (answer.kind === 'not checked')
    return [line`  ${style.bold('not checked')}: ${asked}`, `      because ${answer.because}`]
  return answer.findings.flatMap((finding) => [
    line`  ${mark(finding, style)}: ${finding.text} ${style.dim(`[${code}]`)}`,
    ...finding.evidence.map((seen) => `      seen: ${seen}`),
    ...cureLines(finding, style),
    `      check again: ${again} --only ${code}`,
  ])
}

function cureLines({ cure }: Finding, style: Style): readonly Line[] {
  if (cure === undefined) return []
  return 'command' in cure ? [line`      run: ${style.bold(cure.command)}`] : [`      do: ${cure.advice}`]
}

function mark({ severity }: Finding, style: Style): MarkedText {
  return severity === 'error' ? style.bad('error') : style.bold(severity)
}

/** `14 checks: 10 good, 1 error, 2 warnings, 1 not checked.` */
function summary({ checks, good, notChecked, findings }: Tally, style: Style): Line {
  const parts = [
    `${good} good`,
    ...severities.flatMap((severity) => (findings[severity] > 0 ? [count(findings[severity], severity)] : [])),
    ...(notChecked > 0 ? [`${notChecked} not checked`] : []),
  ]
  const text = `${count(checks, 'check')}: ${parts.join(', ')}`
  return findings.error > 0 ? style.bad(text) : findings.warning > 0 ? style.bold(text) : style.good(text)
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}

/** Stable: fields are added, never changed. */
export function reportJson(examined: readonly Examined[], again: string) {
  const { checks, good, notChecked, findings } = tallyOf(examined)
  return {
    version: 1,
    ok: findings.error === 0,
    summary: { checks, good, errors: findings.error, warnings: findings.warning, hints: findings.hint, notChecked },
    checks: examined.map(({ check: { code, side, question }, answer }) => ({
      code,
      side,
      question,
      answer: answer.kind,
      seen: answer.kind === 'good' ? answer.seen : null,
      because: answer.kind === 'not checked' ? answer.because : null,
      findings:
        answer.kind !== 'bad' ? [] : answer.findings.map((finding) => findingJson(finding, `${again} --only ${code}`)),
    })),
  }
}

function findingJson({ severity, text, evidence, cure }: Finding, recheck: string) {
  return {
    severity,
    text,
    evidence,
    command: cure !== undefined && 'command' in cure ? cure.command : null,
    advice: cure !== undefined && 'advice' in cure ? cure.advice : null,
    fixable: cure !== undefined && 'command' in cure && cure.safe !== undefined,
    recheck,
  }
}

export function checkList(checks: readonly Check[], style: Style): readonly Line[] {
  const width = Math.max(...checks.map(({ code }) => code.length))
  return ORDER.flatMap((side) => [
    style.bold(SIDES[side]),
    ...checks
      .filter((check) => check.side === side)
      .map(({ code, question }) => `  ${code.padEnd(width)}  ${question}`),
  ])
}

export function checkListJson(checks: readonly Check[]) {
  return { version: 1, checks: checks.map(({ code, side, question }) => ({ code, side, question })) }
}
