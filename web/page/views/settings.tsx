/** Lock, passkey, export, appearance; and the end of it all. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Choice, Field } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice, type NoticeKind } from '../../shared/notice.tsx'
import { setTheme, THEMES, type Theme, theme } from '../../shared/theme.ts'
import { loadRcReader } from '../parts.ts'
import { lock, profiles } from '../profiles.ts'
import { passkeysPossible } from '../vault/passkey.ts'
import {
  addPasskey,
  changePassphrase,
  destroyVault,
  idleMinutes,
  passkeys,
  removePasskeys,
  setIdleMinutes,
} from '../vault/vault.ts'
import { addressOf, go } from '../where.ts'
import { forgetTyped, isUsable, PassphraseTwice, useTypedTwice } from './passphrase-twice.tsx'

const MINUTES = [1, 5, 15, 60].map((it) => [`${it}`, it === 1 ? 'After 1 minute' : `After ${it} minutes`] as const)
const THEME_NAMES = { system: 'As the system', light: 'Light', dark: 'Dark' } as const

interface Said {
  readonly kind: NoticeKind
  readonly title: string
}

export function Settings(): JSX.Element {
  return (
    <>
      <h1 tabIndex={-1}>Settings</h1>
      <section class="card stack">
        <h2>Lock</h2>
        <Choice
          id="idle"
          label="Lock when nothing is touched"
          value={`${idleMinutes.value}`}
          choices={MINUTES}
          onChange={(value) => void setIdleMinutes(Number(value))}
        />
        <Passkey />
        <NewPassphrase />
      </section>
      <section class="card stack">
        <h2>Export</h2>
        <p class="soft">
          Browsers may clear what they keep. An export is a file that only its passphrase opens. To import it, add it
          like a profile.
        </p>
        <Export />
      </section>
      <section class="card stack">
        <h2>Appearance</h2>
        <Choice
          id="theme"
          label="Colours"
          value={theme.value}
          choices={THEMES.map((it) => [it, THEME_NAMES[it]] as const)}
          onChange={(value) => setTheme(value as Theme)}
        />
      </section>
      <section class="card stack">
        <h2>This page</h2>
        <a class="button" href={addressOf({ name: 'trust' })}>
          <Icon name="shield" /> Who can see what
        </a>
        <Destroy />
      </section>
    </>
  )
}

function Passkey(): JSX.Element {
  const passphrase = useSignal('')
  const wrong = useSignal<string | undefined>(undefined)
  const said = useSignal<Said | undefined>(undefined)
  if (!passkeysPossible())
    return <p class="soft small">Passkeys need a page with a name. This one comes from a file or an address.</p>
  const add = async (event: Event) => {
    event.preventDefault()
    const outcome = await addPasskey(passphrase.value)
    wrong.value = outcome === 'wrong passphrase' ? 'This is not the passphrase.' : undefined
    said.value =
      outcome === 'added'
        ? { kind: 'good', title: 'The passkey unlocks this device now.' }
        : outcome === 'no prf'
          ? {
              kind: 'warn',
              title:
                'This passkey cannot seal anything. Use another one, or the passphrase. You can delete it in your system.',
            }
          : outcome === 'cancelled'
            ? { kind: 'info', title: 'No passkey was made.' }
            : undefined
    if (outcome === 'added') passphrase.value = ''
  }
  return (
    <details>
      <summary>Passkey{passkeys.value > 0 ? ` (${passkeys.value})` : ''}</summary>
      <form class="stack" onSubmit={add}>
        <p class="soft">A second way in, beside the passphrase: a finger, a face, or a security key.</p>
        <Field
          id="passkey-passphrase"
          label="Your passphrase"
          type="password"
          autocomplete="current-password"
          value={passphrase.value}
          onInput={(value) => (passphrase.value = value)}
          wrong={wrong.value}
        />
        <div class="row">
          <button class="button" type="submit">
            <Icon name="key" /> Add a passkey
          </button>
          {passkeys.value > 0 && (
            <button class="button plain" type="button" onClick={() => void removePasskeys()}>
              Forget all passkeys
            </button>
          )}
        </div>
        <div role="status">{said.value !== undefined && <Notice {...said.value} />}</div>
      </form>
    </details>
  )
}

function NewPassphrase(): JSX.Element {
  const old = useSignal('')
  const wrongOld = useSignal<string | undefined>(undefined)
  const next = useTypedTwice()
  const said = useSignal<Said | undefined>(undefined)
  const change = async (event: Event) => {
    event.preventDefault()
    said.value = undefined
    wrongOld.value = undefined
    if (!isUsable(next)) return
    if (await changePassphrase(old.value, next.passphrase.value)) {
      said.value = { kind: 'good', title: 'The new passphrase counts from now on.' }
      old.value = ''
      forgetTyped(next)
    } else wrongOld.value = 'This is not the passphrase.'
  }
  return (
    <details>
      <summary>New passphrase</summary>
      <form class="stack" onSubmit={change}>
        <Field
          id="old-passphrase"
          label="The passphrase until now"
          type="password"
          autocomplete="current-password"
          value={old.value}
          onInput={(value) => (old.value = value)}
          wrong={wrongOld.value}
        />
        <PassphraseTwice id="next-passphrase" labels={['The new one', 'The new one again']} typed={next} />
        <button class="button" type="submit">
          Change it
        </button>
        <div role="status">{said.value !== undefined && <Notice {...said.value} />}</div>
      </form>
    </details>
  )
}

function Export(): JSX.Element {
  const typed = useTypedTwice()
  const save = async (event: Event) => {
    event.preventDefault()
    if (!isUsable(typed)) return
    const text = await (await loadRcReader()).exportProfiles(profiles.value, typed.passphrase.value)
    const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
    const link = document.createElement('a')
    link.href = address
    link.download = 'ghostport-profiles.json'
    link.click()
    setTimeout(() => URL.revokeObjectURL(address), 60_000)
    forgetTyped(typed)
  }
  return (
    <details>
      <summary>Export {profiles.value.length === 1 ? 'the profile' : `${profiles.value.length} profiles`}</summary>
      <form class="stack" onSubmit={save}>
        <PassphraseTwice
          id="export-passphrase"
          labels={['A passphrase for the file', 'The same again']}
          typed={typed}
        />
        <button class="button" type="submit">
          Save the file
        </button>
      </form>
    </details>
  )
}

function Destroy(): JSX.Element {
  const asking = useSignal(false)
  if (!asking.value)
    return (
      <button class="button plain danger-text" type="button" onClick={() => (asking.value = true)}>
        Remove everything…
      </button>
    )
  return (
    <div class="stack">
      <p>Remove all profiles, the passphrase and the passkeys from this device? There is no way back.</p>
      <div class="row">
        <button
          class="button danger"
          type="button"
          onClick={async () => {
            lock()
            await destroyVault()
            go({ name: 'home' })
          }}
        >
          Remove everything
        </button>
        <button class="button" type="button" onClick={() => (asking.value = false)}>
          Keep it
        </button>
      </div>
    </div>
  )
}
