/** The first start: what this is, and a passphrase for what is kept here. Also where a store was, and is gone. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Ghost } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { createVault, SHORTEST_PASSPHRASE } from '../vault/vault.ts'
import { isUsable, PassphraseTwice, useTypedTwice } from './passphrase-twice.tsx'

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
  const typed = useTypedTwice()
  const busy = useSignal(false)
  const create = async (event: Event) => {
    event.preventDefault()
    if (!isUsable(typed)) return
    busy.value = true
    await createVault(typed.passphrase.value)
  }
  return (
    <form class="card stack" onSubmit={create}>
      <h2>Choose a passphrase</h2>
      <p class="soft">
        It locks the profiles on this device. Nobody can reset it: without it, you scan your codes again.
      </p>
      <PassphraseTwice
        id="new-passphrase"
        labels={['Passphrase', 'The same again']}
        hint={`At least ${SHORTEST_PASSPHRASE} characters. Four random words are good.`}
        typed={typed}
      />
      <button class="button first" type="submit" disabled={busy.value}>
        {busy.value ? 'One moment…' : 'Begin'}
      </button>
    </form>
  )
}
