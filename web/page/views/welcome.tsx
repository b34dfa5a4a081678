/** The first start: what this is, and a passphrase for what is kept here. Also where a store was, and is gone. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { Ghost } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { createVault, SHORTEST_PASSPHRASE } from '../vault/vault.ts'

export function Welcome({ lost }: { readonly lost: boolean }): JSX.Element {
  return (
    <>
      <div class="hero">
        <Ghost size={72} />
        <h1 tabIndex={-1}>Knock from here</h1>
        <p class="soft">
          This page asks a server to open a door that no scanner sees. It seals each request on this device. The keys
          never leave it.
        </p>
      </div>
      {lost && (
        <Notice kind="warn" title="The profiles that were here are gone.">
          The browser has cleared its store. Safari does so after seven days without a visit, unless the page is on the
          home screen. Choose a passphrase, and then import your export, or scan your codes again.
        </Notice>
      )}
      <NewPassphrase />
      {!lost && (
        <p class="soft small">
          You had profiles, and they are not here? The app on your home screen and the browser have stores of their own.
          Open the one that you used before, or import your export.
        </p>
      )}
    </>
  )
}

function NewPassphrase(): JSX.Element {
  const passphrase = useSignal('')
  const again = useSignal('')
  const wrong = useSignal<{ readonly passphrase?: string; readonly again?: string }>({})
  const busy = useSignal(false)
  const create = async (event: Event) => {
    event.preventDefault()
    wrong.value = wrongPassphrase(passphrase.value, again.value)
    if (wrong.value.passphrase !== undefined || wrong.value.again !== undefined) return
    busy.value = true
    await createVault(passphrase.value)
  }
  return (
    <form class="card stack" onSubmit={create}>
      <h2>Choose a passphrase</h2>
      <p class="soft">
        It locks the profiles on this device. Nobody can reset it: without it, you scan your codes again.
      </p>
      <Field
        id="new-passphrase"
        label="Passphrase"
        type="password"
        autocomplete="new-password"
        hint={`At least ${SHORTEST_PASSPHRASE} characters. Four random words are good.`}
        value={passphrase.value}
        onInput={(value) => (passphrase.value = value)}
        wrong={wrong.value.passphrase}
      />
      <Field
        id="new-passphrase-again"
        label="The same again"
        type="password"
        autocomplete="new-password"
        value={again.value}
        onInput={(value) => (again.value = value)}
        wrong={wrong.value.again}
      />
      <button class="button first" type="submit" disabled={busy.value}>
        {busy.value ? 'One moment…' : 'Begin'}
      </button>
    </form>
  )
}

export function wrongPassphrase(passphrase: string, again: string) {
  return {
    ...(passphrase.length < SHORTEST_PASSPHRASE && {
      passphrase: `The passphrase has ${passphrase.length} characters, and needs ${SHORTEST_PASSPHRASE}.`,
    }),
    ...(passphrase !== again && { again: 'This is not the same passphrase.' }),
  }
}
