/** The own account: second factors, the look of the page, and the way out. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Choice, Field } from '../../shared/field.tsx'
import { Notice } from '../../shared/notice.tsx'
import { setTheme, THEMES, theme } from '../../shared/theme.ts'
import { type Account, type Answer, type Failed, post } from '../api.ts'
import { typedInto } from '../parts/bound.ts'
import { CodeField } from '../parts/code-field.tsx'
import { Failure } from '../parts/failure.tsx'
import { Copied } from '../parts/new-keys.tsx'
import { QrCode } from '../parts/qr-code.tsx'
import { Tools } from '../parts/tools.tsx'
import { account, logOut } from '../session.ts'
import { moment } from '../texts/times.ts'
import { makePasskey, type NewOptions, passkeysPossible } from '../webauthn.ts'

const ROLES = {
  viewer: 'looks at everything, and changes nothing',
  operator: 'also ends and extends grants',
  administrator: 'also changes users, invites, and reloads the server',
} as const

interface Changed {
  readonly account: Account
}

/** @returns what is wrong; undefined: the account is as the server says now. */
function taken(answer: Answer<Changed>): Failed | undefined {
  if (!answer.ok) return answer.failure
  account.value = answer.value.account
  return undefined
}

export function AccountView(): JSX.Element | null {
  const who = account.value
  if (who === undefined) return null
  return (
    <>
      <Tools title="Account" count={who.name}>
        <p class="soft grow">
          Your role is {who.role}: it {ROLES[who.role]}.
        </p>
        <button class="button" type="button" onClick={() => void logOut()}>
          Log out
        </button>
      </Tools>
      {!who.factors && (
        <Notice kind="info" title="Your account has no second factor.">
          With a passkey you log in without a link. To make users and keys, a second factor is needed.
        </Notice>
      )}
      <Passkeys who={who} />
      <Totp who={who} />
      <section class="card stack">
        <h2>Look</h2>
        <Choice
          id="theme"
          label="Colours"
          value={theme.value}
          choices={[
            ['system', 'As the system is'],
            ['light', 'Light'],
            ['dark', 'Dark'],
          ]}
          onChange={(value) => setTheme(THEMES.find((it) => it === value) ?? 'system')}
        />
      </section>
    </>
  )
}

function Passkeys({ who }: { readonly who: Account }): JSX.Element {
  const name = useSignal('')
  const failure = useSignal<Failed | undefined>(undefined)
  const add = async (event: Event): Promise<void> => {
    event.preventDefault()
    const options = await post<NewOptions>('/v1/account/passkeys/options')
    if (!options.ok) {
      failure.value = options.failure
      return
    }
    const credential = await makePasskey(options.value)
    if (credential === undefined) {
      failure.value = { code: 'PASSKEY', detail: 'The browser made no passkey.' }
      return
    }
    const body = { id: options.value.id, name: name.value.trim() || 'passkey', credential }
    failure.value = taken(await post<Changed>('/v1/account/passkeys', body))
    name.value = ''
  }
  const remove = async (id: string): Promise<void> => {
    failure.value = taken(await post<Changed>('/v1/account/passkeys/remove', { id }))
  }
  return (
    <section class="card stack">
      <h2>Passkeys</h2>
      {who.passkeys.length > 0 && (
        <ul class="stack tight">
          {who.passkeys.map((it) => (
            <li key={it.id} class="row apart">
              <span>
                <bdi class="strong">{it.name}</bdi> <span class="soft small">added {moment(it.added)}</span>
              </span>
              <button class="button small danger" type="button" onClick={() => void remove(it.id)}>
                Remove<span class="hidden"> {it.name}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {passkeysPossible() ? (
        <form class="controls" onSubmit={add}>
          <div class="grow">
            <Field id="passkey-name" label="Name of a new one" placeholder="Such as: laptop" {...typedInto(name)} />
          </div>
          <button class="button" type="submit">
            Add a passkey
          </button>
        </form>
      ) : (
        <p class="soft">Passkeys belong to a name. Open the console by its name, and not by its address.</p>
      )}
      <Failure failure={failure.value} />
    </section>
  )
}

interface NewTotp {
  readonly secret: string
  readonly uri: string
}

function Totp({ who }: { readonly who: Account }): JSX.Element {
  const made = useSignal<NewTotp | undefined>(undefined)
  const code = useSignal('')
  const failure = useSignal<Failed | undefined>(undefined)
  const begin = async (): Promise<void> => {
    const answer = await post<NewTotp>('/v1/account/totp')
    failure.value = answer.ok ? undefined : answer.failure
    made.value = answer.ok ? answer.value : undefined
  }
  const confirm = async (event: Event): Promise<void> => {
    event.preventDefault()
    const answer = await post<Changed>('/v1/account/totp/confirm', { totp: code.value.trim() })
    failure.value = taken(answer)
    if (!answer.ok) return
    made.value = undefined
    code.value = ''
  }
  const remove = async (): Promise<void> => {
    failure.value = taken(await post<Changed>('/v1/account/totp/remove'))
  }
  return (
    <section class="card stack">
      <h2>Codes of six digits</h2>
      {who.totp ? (
        <div class="row apart">
          <span>An app makes codes for this account.</span>
          <button class="button small danger" type="button" onClick={remove}>
            Remove<span class="hidden"> the codes</span>
          </button>
        </div>
      ) : made.value === undefined ? (
        <div class="row apart">
          <span class="soft">An app on a phone makes a new code every 30 seconds.</span>
          <button class="button" type="button" onClick={begin}>
            Set up codes
          </button>
        </div>
      ) : (
        <div class="keys">
          <QrCode text={made.value.uri} label="QR code for the app" />
          <form class="stack" onSubmit={confirm}>
            <Copied id="totp-secret" label="Or type this into the app" text={made.value.secret} />
            <CodeField id="totp-code" label="Then the six digits that it shows" code={code} />
            <button class="button first" type="submit">
              Turn it on
            </button>
          </form>
        </div>
      )}
      <Failure failure={failure.value} />
    </section>
  )
}
