/** Who changed what: each line of the audit log, and whether the chain of their hashes is whole. */
import type { JSX } from 'preact'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import type { AuditLine, AuditPage } from '../api.ts'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { Pages, usePages } from '../parts/pages.tsx'
import { Tools } from '../parts/tools.tsx'
import { actorText } from '../texts/actor.ts'
import { capital } from '../texts/events.ts'
import { moment } from '../texts/times.ts'

const PAGE = 50

export function Audit(): JSX.Element {
  const turned = usePages()
  const before = turned.value.at(-1)
  const from = before === undefined ? '' : `&before=${before}`
  const { value, failure, again } = useFetched<AuditPage>(`/v1/audit?limit=${PAGE}${from}`)
  const page = value.value
  return (
    <>
      <Tools title="Audit log" count="">
        <span class="grow chain">
          {page !== undefined && (
            <span class={`tone ${page.whole ? 'good' : 'bad'}`}>
              <Icon name={page.whole ? 'shield' : 'warn'} size={20} />
              {page.whole ? 'The chain is whole' : 'The chain is broken'}
            </span>
          )}
        </span>
        <button class="button" type="button" onClick={() => void again()}>
          Look again
        </button>
      </Tools>
      <Failure failure={failure.value} />
      {page?.whole === false && (
        <Notice kind="bad" title="A line of the audit log was changed or removed.">
          On the server, <code>ghostport audit verify</code> says which.
        </Notice>
      )}
      {page === undefined && failure.value === undefined && <p class="soft">Looking…</p>}
      {page?.entries.length === 0 && <p class="soft">There is no line yet.</p>}
      <ol class="stack tight">
        {(page?.entries ?? []).map((entry) => (
          <Line key={entry.seq} entry={entry} />
        ))}
      </ol>
      {page !== undefined && <Pages turned={turned} next={page.next} />}
    </>
  )
}

function Line({ entry }: { readonly entry: AuditLine }): JSX.Element {
  const { seq, time, by, did, to, before = [], after = [], note } = entry
  return (
    <li class="card line">
      <div class="row apart">
        <strong>
          <bdi>
            {capital(did)}
            {to !== undefined && ` ${to}`}
          </bdi>
        </strong>
        <span class="soft small">
          {seq} · <time dateTime={time}>{moment(time)}</time>
        </span>
      </div>
      <p class="soft small">
        by <bdi>{actorText(by)}</bdi>
      </p>
      {note !== undefined && (
        <p class="small">
          <bdi>{note}</bdi>
        </p>
      )}
      {before.length + after.length > 0 && (
        <ul class="change small mono">
          {before.map((text, i) => (
            <li key={`-${i}`} class="went">
              <span aria-hidden="true">− </span>
              <span class="hidden">removed: </span>
              <bdi>{text}</bdi>
            </li>
          ))}
          {after.map((text, i) => (
            <li key={`+${i}`} class="came">
              <span aria-hidden="true">+ </span>
              <span class="hidden">added: </span>
              <bdi>{text}</bdi>
            </li>
          ))}
        </ul>
      )}
    </li>
  )
}
