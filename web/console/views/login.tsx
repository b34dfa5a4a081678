/** The way in: a link from the command line, or a passkey. A code besides, where the account has one. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Ghost } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { type Failed, post } from '../api.ts'
import { CodeField } from '../parts/code-field.tsx'
import { Failure } from '../parts/failure.tsx'
import { linkSecret, logIn, why } from '../session.ts'
import { givePasskey, type LoginOptions, passkeysPossible } from '../webauthn.ts'

export function Login(): JSX.Element {
  const code = useSignal('')
  const needsCode = useSignal(false)
  const isBusy = useSignal(false)
  const failure = useSignal<Failed | undefined>(undefined)
  const byLink = async (event: Event): Promise<void> => {
    event.preventDefault()
    isBusy.value = true
    const totp = code.value.trim()
    const wrong = await logIn('/v1/session', { link: linkSecret.value, ...(needsCode.value && { totp }) })
    isBusy.value = false
    needsCode.value ||= wrong?.code === 'TOTP_NEEDED'
    failure.value = wrong?.code === 'TOTP_NEEDED' ? undefined : wrong
  }
  const byPasskey = async (): Promise<void> => {
    isBusy.value = true
    const options = await post<LoginOptions>('/v1/session/passkey/options')
    const credential = options.ok ? await givePasskey(options.value) : undefined
    if (!options.ok) failure.value = options.failure
    else if (credential !== undefined)
      failure.value = await logIn('/v1/session/passkey', { id: options.value.id, credential })
    isBusy.value = false
  }
  return (
    <main class="login stack wide">
      <div class="hero">
        <Ghost size={64} />
        <h1 tabIndex={-1}>The console of ghostport</h1>
        <p class="soft" role="status">
          {why.value ?? 'It shows what is open, and ends it.'}
        </p>
      </div>
      {linkSecret.value !== undefined && (
        <form class="card stack" onSubmit={byLink}>
          <h2>Your link is here</h2>
          {needsCode.value ? (
            <CodeField id="login-code" code={code} />
          ) : (
            <p>It is good once, and only when you press the button.</p>
          )}
          <button class="button first" type="submit" aria-disabled={isBusy.value}>
            Log in with this link
          </button>
        </form>
      )}
      <section class="card stack">
        <h2>{linkSecret.value === undefined ? 'Log in' : 'Or without it'}</h2>
        {passkeysPossible() ? (
          <button
            class={linkSecret.value === undefined ? 'button first' : 'button'}
            type="button"
            aria-disabled={isBusy.value}
            onClick={byPasskey}
          >
            Use a passkey
          </button>
        ) : (
          <Notice kind="info" title="No passkey can be used here.">
            Passkeys belong to a name. Open the console by its name, and not by its address.
          </Notice>
        )}
        <p class="soft small">
          Without a passkey, get a link on the server: <code>ghostport console login NAME</code>
        </p>
      </section>
      <Failure failure={failure.value} />
    </main>
  )
}
