/** A stanza for another device: its keys are shown only when somebody asks. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { Notice } from '../../shared/notice.tsx'
import { call } from '../api.ts'

interface Exported {
  readonly rc: string
  readonly access: string
  readonly uri: string | null
  readonly whyNoUri: string | null
  readonly qr: readonly string[] | null
}

export function Share({ name }: { readonly name: string }): JSX.Element {
  const shown = useSignal<Exported | undefined>(undefined)
  const wrong = useSignal<string | undefined>(undefined)
  const show = async () => {
    const answer = await call<Exported>('/api/export', { name })
    if (answer.ok) shown.value = answer.value
    else wrong.value = answer.failure.detail
  }
  const it = shown.value
  return (
    <>
      <h1 tabIndex={-1}>Export {name}</h1>
      {it === undefined ? (
        <section class="card stack">
          <Notice kind="warn" title="This shows the keys of the stanza.">
            Who sees them can knock as you do. Better: let your administrator make a profile of its own for each device.
          </Notice>
          <div role="alert">{wrong.value !== undefined && <Notice kind="bad" title={wrong.value} />}</div>
          <button class="button first" type="button" onClick={show}>
            Show the keys
          </button>
        </section>
      ) : (
        <section class="card stack">
          {it.qr !== null && <Code rows={it.qr} />}
          {it.uri === null ? (
            <Notice kind="info" title="There is no line of a profile for this stanza.">
              {it.whyNoUri}
            </Notice>
          ) : (
            <Field id="uri" label="Line of the profile" rows={4} mono value={it.uri} onInput={() => {}} />
          )}
          <Field id="rc" label="Text for a .fwknoprc" rows={8} mono value={it.rc} onInput={() => {}} />
          <details>
            <summary>For the server</summary>
            <Field
              id="access"
              label="Stanza for its access.conf"
              hint="Where the server does not have it yet: it is the other half of these keys."
              rows={8}
              mono
              value={it.access}
              onInput={() => {}}
            />
          </details>
        </section>
      )}
    </>
  )
}

function Code({ rows }: { readonly rows: readonly string[] }): JSX.Element {
  const quiet = 4
  const size = rows.length + 2 * quiet
  const path = rows
    .flatMap((row, y) => [...row].map((sign, x) => (sign === '1' ? `M${x + quiet} ${y + quiet}h1v1h-1z` : '')))
    .join('')
  return (
    <svg class="code" viewBox={`0 0 ${size} ${size}`} role="img" aria-label="QR code of the profile">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" shape-rendering="crispEdges" />
    </svg>
  )
}
