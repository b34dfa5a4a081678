/** The way in: a passkey, or the passphrase. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { Ghost, Icon } from '../../shared/icons.tsx'
import { unlock, unlockByPasskey } from '../profiles.ts'

export function Unlock({ hasPasskey }: { readonly hasPasskey: boolean }): JSX.Element {
  const passphrase = useSignal('')
  const wrong = useSignal<string | undefined>(undefined)
  const busy = useSignal(false)
  const open = async (event: Event) => {
    event.preventDefault()
    busy.value = true
    const opened = await unlock(passphrase.value)
    busy.value = false
    if (!opened) wrong.value = 'This is not the passphrase.'
  }
  const openByPasskey = async () => {
    busy.value = true
    const opened = await unlockByPasskey()
    busy.value = false
    if (!opened) wrong.value = 'The passkey did not open it. Use the passphrase.'
  }
  return (
    <>
      <div class="hero">
        <Ghost size={72} />
        <h1 tabIndex={-1}>Locked</h1>
        <p class="soft">Your profiles are sealed on this device.</p>
      </div>
      <form class="card stack" onSubmit={open}>
        {hasPasskey && (
          <button class="button first" type="button" onClick={openByPasskey} disabled={busy.value}>
            <Icon name="key" /> Unlock with a passkey
          </button>
        )}
        <Field
          id="passphrase"
          label="Passphrase"
          type="password"
          autocomplete="current-password"
          value={passphrase.value}
          onInput={(value) => {
            passphrase.value = value
            wrong.value = undefined
          }}
          wrong={wrong.value}
        />
        <button class={`button${hasPasskey ? '' : ' first'}`} type="submit" disabled={busy.value}>
          {busy.value ? 'One moment…' : 'Unlock'}
        </button>
      </form>
    </>
  )
}
