/** The last knocks. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Notice } from '../../shared/notice.tsx'
import { type Answer, call } from '../api.ts'
import { type Knock, stanzaOf } from '../state.ts'
import { addressOf } from '../where.ts'

const WORDS = {
  ...{ open: 'opened', already: 'was open before', sent: 'sent', failed: 'failed' },
  ...{ granted: 'opened, says the server', closed: 'closed' },
} as const

interface Knocks {
  readonly knocks: readonly Knock[]
}

export function KnockHistory(): JSX.Element {
  const knocks = useSignal<readonly Knock[] | undefined>(undefined)
  const wrong = useSignal<string | undefined>(undefined)
  const take = (answer: Answer<Knocks>) => {
    if (answer.ok) knocks.value = answer.value.knocks
    wrong.value = answer.ok ? undefined : answer.failure.detail
  }
  useEffect(() => {
    void call<Knocks>('/api/history').then(take)
  }, [])
  const forget = async () => take(await call<Knocks>('/api/forget', {}))
  return (
    <>
      <h1 tabIndex={-1}>History</h1>
      <div role="alert">{wrong.value !== undefined && <Notice kind="bad" title={wrong.value} />}</div>
      {knocks.value?.length === 0 && <p class="soft">No knock yet.</p>}
      <ol class="stack tight">
        {(knocks.value ?? []).map((it, i) => (
          <li key={i} class="card past">
            <div class="row apart">
              {stanzaOf(it.stanza) === undefined ? (
                <strong>{it.stanza}</strong>
              ) : (
                <a href={addressOf({ name: 'door', stanza: it.stanza })}>{it.stanza}</a>
              )}
              <span class={`outcome ${it.outcome}`}>{WORDS[it.outcome]}</span>
            </div>
            <p class="soft small">
              <time dateTime={new Date(it.at * 1000).toISOString()}>{new Date(it.at * 1000).toLocaleString()}</time>
              {it.address !== undefined && ` · port ${it.port} of ${it.address}`}
              {it.outcome === 'open' && `, after ${it.milliseconds} ms`}
              {it.detail !== undefined && ` · ${it.detail}`}
            </p>
          </li>
        ))}
      </ol>
      {(knocks.value?.length ?? 0) > 0 && (
        <button class="button danger" type="button" onClick={forget}>
          Forget all
        </button>
      )}
    </>
  )
}
