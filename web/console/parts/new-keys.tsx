/** Keys that were just made. The server shows them once, and so does this page. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Notice } from '../../shared/notice.tsx'
import type { NewKeys } from '../api.ts'
import { QrCode } from './qr-code.tsx'

export function NewKeysCard({ keys, onDone }: { readonly keys: NewKeys; readonly onDone: () => void }): JSX.Element {
  return (
    <section class="card stack" aria-labelledby="new-keys">
      <h2 id="new-keys" tabIndex={-1}>
        The profile of <bdi>{keys.name}</bdi>
      </h2>
      <Notice kind="warn" title="It is shown once, and holds the keys.">
        Let the device scan it, or take it there over ssh. Do not send it by mail.
      </Notice>
      <div class="keys">
        <QrCode text={keys.profile} label={`QR code of the profile of ${keys.name}`} />
        <div class="stack">
          <Copied id="profile-line" label="As one line" text={keys.profile} />
          {keys.stanza !== undefined && <Copied id="profile-stanza" label="For a .fwknoprc" text={keys.stanza} />}
        </div>
      </div>
      <button class="button first" type="button" onClick={onDone}>
        Done: hide the keys
      </button>
    </section>
  )
}

/** A text to take elsewhere. */
export function Copied(props: { readonly id: string; readonly label: string; readonly text: string }): JSX.Element {
  const isCopied = useSignal(false)
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(props.text)
      isCopied.value = true
    } catch {
      document.querySelector<HTMLTextAreaElement>(`#${props.id}`)?.select()
    }
  }
  return (
    <div class="field">
      <label for={props.id}>{props.label}</label>
      <textarea id={props.id} class="input mono" rows={4} readOnly value={props.text} />
      <div class="row">
        <button class="button small" type="button" onClick={copy}>
          Copy<span class="hidden"> {props.label}</span>
        </button>
        <span class="soft small" role="status">
          {isCopied.value ? 'Copied.' : ''}
        </span>
      </div>
    </div>
  )
}
