/** What “ghostport doctor” finds, and what the server says of itself. */
import type { JSX } from 'preact'
import { Notice, type NoticeKind } from '../../shared/notice.tsx'
import type { Doctor } from '../api.ts'
import { live } from '../live/live.ts'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { Tools } from '../parts/tools.tsx'
import { capital } from '../texts/events.ts'
import { moment } from '../texts/times.ts'

/** Levels of what is not good, the worst first, and how a notice shows them. */
const KINDS: ReadonlyMap<string, NoticeKind> = new Map([
  ['fault', 'bad'],
  ['error', 'bad'],
  ['warning', 'warn'],
  ['hint', 'info'],
])
const ORDER = [...KINDS.keys()]

export function DoctorView(): JSX.Element {
  const { value, failure, isLoading, again } = useFetched<Doctor>('/v1/doctor')
  const { server } = live.value
  const findings = value.value?.findings ?? []
  const bad = findings
    .filter(({ level }) => KINDS.has(level))
    .toSorted((one, other) => ORDER.indexOf(one.level) - ORDER.indexOf(other.level))
  const good = findings.filter(({ level }) => level === 'ok' || level === 'good')
  const other = findings.filter((it) => !bad.includes(it) && !good.includes(it))
  return (
    <>
      <Tools
        title="Doctor"
        count={value.value === undefined ? '' : `${bad.length === 0 ? 'nothing' : bad.length} found`}
      >
        <p class="soft grow">{value.value === undefined ? 'Examining…' : `Examined ${moment(value.value.at)}`}</p>
        <button class="button" type="button" aria-disabled={isLoading.value} onClick={() => void again()}>
          Examine again
        </button>
      </Tools>
      <Failure failure={failure.value} />
      <section class="card stack">
        <h2>The server</h2>
        <dl class="facts">
          <dt>State</dt>
          <dd>{server === undefined ? 'not known yet' : server.state === 'up' ? 'up' : 'cannot be reached'}</dd>
          {server?.version !== undefined && (
            <>
              <dt>Version</dt>
              <dd>{server.version}</dd>
            </>
          )}
          {server?.since != null && (
            <>
              <dt>Since</dt>
              <dd>{moment(server.since)}</dd>
            </>
          )}
          {server?.firewall != null && (
            <>
              <dt>Firewall</dt>
              <dd>{server.firewall}</dd>
            </>
          )}
          {server?.gate === true && (
            <>
              <dt>Gate</dt>
              <dd>on: what needs a knock is shut without one</dd>
            </>
          )}
        </dl>
        {(server?.problems ?? []).map(({ text, code, cure }, i) => (
          <Notice key={i} kind="warn" title={capital(text)}>
            {cure !== undefined && <p>{cure}</p>}
            {code !== undefined && <code>{code}</code>}
          </Notice>
        ))}
      </section>
      {bad.map(({ level, name, text, cure }, i) => (
        <Notice key={i} kind={KINDS.get(level) ?? 'info'} title={capital(text)}>
          {cure !== undefined && (
            <p>
              What mends it: <bdi class="mono">{cure}</bdi>
            </p>
          )}
          <code>{name}</code>
        </Notice>
      ))}
      {value.value !== undefined && bad.length === 0 && <Notice kind="good" title="The doctor finds nothing wrong." />}
      <Folded findings={good} words="checks are good" />
      <Folded findings={other} words="could not be looked at" />
    </>
  )
}

function Folded(props: { readonly findings: Doctor['findings']; readonly words: string }): JSX.Element | null {
  const { findings, words } = props
  if (findings.length === 0) return null
  return (
    <details class="card">
      <summary>
        {findings.length} {words}
      </summary>
      <ul class="plain-list">
        {findings.map(({ name, text }, i) => (
          <li key={i}>
            <code>{name}</code> <bdi class="soft">{text}</bdi>
          </li>
        ))}
      </ul>
    </details>
  )
}
