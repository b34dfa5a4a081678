/** One user: what is known, and what can be done. And the form for a new one. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Choice, Field } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { now } from '../../shared/now.ts'
import { type Answer, type Failed, type NewKeys, post, type User } from '../api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { InvitationFacts } from '../parts/invitation.tsx'
import { NewKeysCard } from '../parts/new-keys.tsx'
import { Tools } from '../parts/tools.tsx'
import { UserForm } from '../parts/user-form.tsx'
import { mayManage } from '../session.ts'
import { ago, moment } from '../texts/times.ts'
import { NEW_USER, stateWord } from '../texts/users.ts'
import { addressOf, go } from '../where.ts'

export function UserView({ name }: { readonly name: string }): JSX.Element {
  return name === NEW_USER ? <NewUser /> : <OneUser name={name} />
}

function Back(): JSX.Element {
  return (
    <a class="back" href={addressOf('users')}>
      <Icon name="back" size={18} /> All users
    </a>
  )
}

function NewUser(): JSX.Element {
  const made = useSignal<NewKeys | undefined>(undefined)
  if (made.value !== undefined)
    return (
      <>
        <Back />
        <Tools title={`Added ${made.value.name}`} />
        <Made keys={made.value} onDone={() => go(addressOf('users', made.value?.name))} />
      </>
    )
  return (
    <>
      <Back />
      <Tools title="Add a user" />
      <UserForm
        kind="profile"
        submit="Add this user"
        onSubmit={async (wishes) => {
          const answer = await post<NewKeys>('/v1/users', wishes)
          if (answer.ok) made.value = answer.value
          return answer.ok ? undefined : answer.failure
        }}
      />
    </>
  )
}

/** Takes the focus: it came where a form was. */
function Made(props: { readonly keys: NewKeys; readonly onDone: () => void }): JSX.Element {
  useEffect(() => document.getElementById('new-keys')?.focus(), [])
  return <NewKeysCard {...props} />
}

type Asked = 'rotate' | 'disable' | 'remove'

function OneUser({ name }: { readonly name: string }): JSX.Element {
  const { value, failure, again } = useFetched<{ readonly users: readonly User[] }>('/v1/users')
  const asked = useSignal<Asked | undefined>(undefined)
  const keys = useSignal<NewKeys | undefined>(undefined)
  const wrong = useSignal<Failed | undefined>(undefined)
  const done = useSignal('')
  const user = value.value?.users.find((it) => it.name === name)
  const close = (): void => {
    asked.value = undefined
  }
  const after = (answer: Answer<unknown>, words: string): void => {
    wrong.value = answer.ok ? undefined : answer.failure
    done.value = answer.ok ? words : ''
    if (answer.ok) void again()
  }
  return (
    <>
      <Back />
      <Tools title={name} count={user === undefined ? '' : stateWord(user, now.value)} />
      <Failure failure={failure.value ?? wrong.value} />
      <p class="soft small" role="status">
        {done.value}
      </p>
      {value.value !== undefined && user === undefined && (
        <Notice kind="warn" title="There is no such user.">
          The name may be that of a stanza that was removed.
        </Notice>
      )}
      {keys.value !== undefined && (
        <Made
          keys={keys.value}
          onDone={() => {
            keys.value = undefined
          }}
        />
      )}
      {user !== undefined && (
        <section class="card stack">
          <Facts user={user} />
          <div class="row">
            <a class="button" href={addressOf('history', undefined, { user: name })}>
              What this user did
            </a>
            {mayManage.value && (
              <>
                <button
                  class="button"
                  type="button"
                  onClick={() => {
                    asked.value = 'rotate'
                  }}
                >
                  New keys
                </button>
                {user.state === 'off' ? (
                  <button
                    class="button"
                    type="button"
                    onClick={async () => after(await post('/v1/users/enable', { name }), 'The user is enabled.')}
                  >
                    Enable
                  </button>
                ) : (
                  <button
                    class="button danger"
                    type="button"
                    onClick={() => {
                      asked.value = 'disable'
                    }}
                  >
                    Disable
                  </button>
                )}
                <button
                  class="button danger"
                  type="button"
                  onClick={() => {
                    asked.value = 'remove'
                  }}
                >
                  Remove
                </button>
              </>
            )}
          </div>
        </section>
      )}
      {user?.invitation != null && (
        <InvitationFacts name={name} invitation={user.invitation} onChange={(answer, words) => after(answer, words)} />
      )}
      {asked.value === 'rotate' && (
        <Rotate
          name={name}
          onClose={close}
          onKeys={(made) => {
            keys.value = made
            close()
            void again()
          }}
        />
      )}
      {asked.value === 'disable' && (
        <Sure
          title={`Disable ${name}?`}
          text="All that is open for this user is shut at once, with the connections. The keys open nothing until you enable the user again."
          action="Disable"
          onClose={close}
          act={() => post('/v1/users/disable', { name })}
          onDone={(answer) => after(answer, 'The user is disabled.')}
        />
      )}
      {asked.value === 'remove' && (
        <Sure
          title={`Remove ${name}?`}
          text="The stanza and its keys go. What is open is shut at once, with the connections. This cannot be taken back: the user would need new keys."
          action="Remove"
          onClose={close}
          act={() => post('/v1/users/remove', { name })}
          onDone={(answer) => {
            if (answer.ok) go(addressOf('users'))
            else after(answer, '')
          }}
        />
      )}
    </>
  )
}

function Facts({ user }: { readonly user: User }): JSX.Element {
  const { opens, source, expires, lastKnock, openGrants } = user
  return (
    <dl class="facts">
      <dt>May open</dt>
      <dd class="mono">{opens.join(' ')}</dd>
      <dt>From</dt>
      <dd>
        <bdi>{source == null || source === 'ANY' ? 'anywhere' : source}</bdi>
      </dd>
      <dt>State</dt>
      <dd>{stateWord(user, now.value)}</dd>
      <dt>Ends</dt>
      <dd>{expires === null ? 'never' : moment(expires)}</dd>
      <dt>Last knock</dt>
      <dd>
        {lastKnock === null ? (
          'never seen'
        ) : (
          <>
            {moment(lastKnock.at)} ({ago(lastKnock.at, now.value)})
            {lastKnock.from !== undefined && (
              <>
                , from <bdi class="address">{lastKnock.from}</bdi>
              </>
            )}
          </>
        )}
      </dd>
      <dt>Open now</dt>
      <dd>{openGrants}</dd>
    </dl>
  )
}

function Sure(props: {
  readonly title: string
  readonly text: string
  readonly action: string
  readonly onClose: () => void
  readonly act: () => Promise<Answer<unknown>>
  readonly onDone: (answer: Answer<unknown>) => void
}): JSX.Element {
  const failure = useSignal<Failed | undefined>(undefined)
  const act = async (): Promise<void> => {
    const answer = await props.act()
    failure.value = answer.ok ? undefined : answer.failure
    if (!answer.ok) return
    props.onClose()
    props.onDone(answer)
  }
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p>{props.text}</p>
      <Failure failure={failure.value} />
      <div class="row">
        <button class="button danger" type="button" onClick={act}>
          {props.action}
        </button>
        <button class="button" type="button" onClick={props.onClose}>
          Cancel
        </button>
      </div>
    </Dialog>
  )
}

const OVERLAPS = [
  ['7d', 'seven days'],
  ['1d', 'one day'],
  ['1h', 'one hour'],
] as const

function Rotate(props: {
  readonly name: string
  readonly onClose: () => void
  readonly onKeys: (keys: NewKeys) => void
}): JSX.Element {
  const server = useSignal(localStorage.getItem('ghostport-console-server') ?? '')
  const overlap = useSignal('7d')
  const failure = useSignal<Failed | undefined>(undefined)
  const rotate = async (event: Event): Promise<void> => {
    event.preventDefault()
    localStorage.setItem('ghostport-console-server', server.value.trim())
    const body = { name: props.name, server: server.value.trim(), overlap: overlap.value }
    const answer = await post<NewKeys>('/v1/users/rotate', body)
    failure.value = answer.ok ? undefined : answer.failure
    if (answer.ok) props.onKeys(answer.value)
  }
  return (
    <Dialog title={`New keys for ${props.name}`} onClose={props.onClose}>
      <form class="stack" onSubmit={rotate}>
        <Field
          id="rotate-server"
          label="Server"
          hint="Name or address of the server, as the device reaches it"
          value={server.value}
          onInput={(value) => {
            server.value = value
          }}
          required
        />
        <Choice
          id="rotate-overlap"
          label="The old keys still open for"
          value={overlap.value}
          choices={OVERLAPS}
          onChange={(value) => {
            overlap.value = value
          }}
        />
        <Failure failure={failure.value} />
        <div class="row">
          <button class="button first" type="submit">
            Make new keys
          </button>
          <button class="button" type="button" onClick={props.onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  )
}
