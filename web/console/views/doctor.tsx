/** What “ghostport doctor” finds, and what the server says of itself. */
import type { JSX } from 'preact'
import { Notice } from '../../shared/notice.tsx'
import type { Doctor } from '../api.ts'
import { live } from '../live/live.ts'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { Tools } from '../parts/tools.tsx'
import { capital } from '../texts/events.ts'
import { moment } from '../texts/times.ts'

const KINDS = { fault: 'bad', error: 'bad', warning: 'warn', hint: 'info', ok: 'good', good: 'good' } as const
const ORDER = ['fault', 'error', 'warning', 'hint']

export function DoctorView(): JSX.Element {
  const { value, failure, isLoading, again } = useFetched<Doctor>('/v1/doctor')
  const { server } = live.value
  const findings = value.value?.findings ?? []
  const bad = findings
    .filter(({ level }) => ORDER.includes(level))
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
        <Notice key={i} kind={kindOf(level)} title={capital(text)}>
          {cure !== undefined && (
            <p>
              What mends it: <bdi class="mono">{cure}</bdi>
            </p>
          )}
          <code>{name}</code>
        </Notice>
      ))}
      {value.value !== undefined && bad.length === 0 && <Notice kind="good" title="The doctor finds nothing wrong." />}
      {good.length > 0 && (
        <details class="card">
          <summary>{good.length} checks are good</summary>
          <ul class="plain-list">
            {good.map(({ name, text }, i) => (
              <li key={i}>
                <code>{name}</code> <bdi class="soft">{text}</bdi>
              </li>
            ))}
          </ul>
        </details>
      )}
      {other.length > 0 && (
        <details class="card">
          <summary>{other.length} could not be looked at</summary>
          <ul class="plain-list">
            {other.map(({ name, text }, i) => (
              <li key={i}>
                <code>{name}</code> <bdi class="soft">{text}</bdi>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  )
}

function kindOf(level: string): 'bad' | 'warn' | 'info' | 'good' {
  const known: Readonly<Record<string, 'bad' | 'warn' | 'info' | 'good'>> = KINDS
  return Object.hasOwn(known, level) ? (known[level] ?? 'info') : 'info'
}
