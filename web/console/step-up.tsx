/** Asks for the second factor when a request needs it. Then the request goes on by itself. */
import { signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { type Account, type Failed, get, post, stepUp } from './api.ts'
import { CodeField } from './parts/code-field.tsx'
import { Dialog } from './parts/dialog.tsx'
import { Failure } from './parts/failure.tsx'
import { account } from './session.ts'
import { givePasskey, type LoginOptions, passkeysPossible } from './webauthn.ts'
import { addressOf, go } from './where.ts'

interface Asked {
  readonly answer: (given: boolean) => void
}

const asked = signal<readonly Asked[]>([])
stepUp.ask = () =>
  new Promise((answer) => {
    asked.value = [...asked.value, { answer }]
  })

/** Requests that wait get the same answer. */
function settle(given: boolean): void {
  const waiting = asked.value
  asked.value = []
  for (const { answer } of waiting) answer(given)
}

export function StepUp(): JSX.Element | null {
  return asked.value.length === 0 ? null : <StepUpDialog />
}

function StepUpDialog(): JSX.Element {
  const code = useSignal('')
  const failure = useSignal<Failed | undefined>(undefined)
  const who = account.value
  const hasPasskey = (who?.passkeys.length ?? 0) > 0 && passkeysPossible()
  useEffect(() => {
    // A factor may have been added in another browser.
    void get<{ readonly account: Account }>('/v1/session').then((answer) => {
      if (answer.ok) account.value = answer.value.account
    })
    // The session may end while it is asked.
    return () => settle(false)
  }, [])
  const send = async (path: string, body: object): Promise<void> => {
    const answer = await post(path, body)
    failure.value = answer.ok ? undefined : answer.failure
    if (answer.ok) settle(true)
  }
  const byPasskey = async (): Promise<void> => {
    const options = await post<LoginOptions>('/v1/step-up/passkey/options')
    if (!options.ok) {
      failure.value = options.failure
      return
    }
    const credential = await givePasskey(options.value)
    if (credential !== undefined) await send('/v1/step-up', { id: options.value.id, credential })
  }
  const hasFactor = who?.totp === true || hasPasskey
  return (
    <Dialog title="Is it you?" onClose={() => settle(false)}>
      {hasFactor ? (
        <p>This gives somebody access. It needs your second factor, which then counts for five minutes.</p>
      ) : (
        <p>
          This gives somebody access. It needs a second factor, and your account has none that works here. Set up a
          passkey or a code first.
        </p>
      )}
      {hasPasskey && (
        <button class="button first" type="button" onClick={byPasskey}>
          Use a passkey
        </button>
      )}
      {who?.totp === true && (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            void send('/v1/step-up', { totp: code.value.trim() })
          }}
        >
          <CodeField id="step-up-code" code={code} />
          <button class={hasPasskey ? 'button' : 'button first'} type="submit">
            Go on
          </button>
        </form>
      )}
      <Failure failure={failure.value} />
      <div class="row">
        {!hasFactor && (
          <button
            class="button first"
            type="button"
            onClick={() => {
              settle(false)
              go(addressOf('account'))
            }}
          >
            Set it up
          </button>
        )}
        <button class="button" type="button" onClick={() => settle(false)}>
          Cancel
        </button>
      </div>
    </Dialog>
  )
}
