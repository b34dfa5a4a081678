/** One user: what is known, and what can be done. And the form for a new one. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Choice } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { now } from '../../shared/now.ts'
import { type Answer, type NewKeys, post, type User } from '../api.ts'
import { Ask } from '../parts/ask.tsx'
import { chosenInto } from '../parts/bound.ts'
import { useFetched } from '../parts/fetched.ts'
import { InvitationFacts } from '../parts/invitation.tsx'
import { NewKeysCard } from '../parts/new-keys.tsx'
import { Outcome, useChanges } from '../parts/outcome.tsx'
import { keptServer, ServerField, useServer } from '../parts/server-field.tsx'
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
  const keys = made.value
  if (keys !== undefined)
    return (
      <>
        <Back />
        <Tools title={`Added ${keys.name}`} />
        <Made keys={keys} onDone={() => go(addressOf('users', keys.name))} />
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
  const { wrong, done, after, changed } = useChanges(again)
  const user = value.value?.users.find((it) => it.name === name)
  const ask = (next: Asked): void => {
    asked.value = next
  }
  const close = (): void => {
    asked.value = undefined
  }
  return (
    <>
      <Back />
      <Tools title={name} count={user === undefined ? '' : stateWord(user, now.value)} />
      <Outcome failure={failure.value ?? wrong.value} done={done.value} />
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
                <button class="button" type="button" onClick={() => ask('rotate')}>
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
                  <button class="button danger" type="button" onClick={() => ask('disable')}>
                    Disable
                  </button>
                )}
                <button class="button danger" type="button" onClick={() => ask('remove')}>
                  Remove
                </button>
              </>
            )}
          </div>
        </section>
      )}
      {user?.invitation != null && <InvitationFacts name={name} invitation={user.invitation} onChange={after} />}
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
        <Ask
          title={`Disable ${name}?`}
          action="Disable"
          isDanger
          act={() => post('/v1/users/disable', { name })}
          onDone={() => {
            close()
            changed('The user is disabled.')
          }}
          onClose={close}
        >
          <p>
            All that is open for this user is shut at once, with the connections. The keys open nothing until you enable
            the user again.
          </p>
        </Ask>
      )}
      {asked.value === 'remove' && (
        <Ask
          title={`Remove ${name}?`}
          action="Remove"
          isDanger
          act={() => post('/v1/users/remove', { name })}
          onDone={() => {
            close()
            go(addressOf('users'))
          }}
          onClose={close}
        >
          <p>
            The stanza and its keys go. What is open is shut at once, with the connections. This cannot be taken back:
            the user would need new keys.
          </p>
        </Ask>
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
  const server = useServer()
  const overlap = useSignal('7d')
  const rotate = (): Promise<Answer<NewKeys>> =>
    post('/v1/users/rotate', { name: props.name, server: keptServer(server), overlap: overlap.value })
  return (
    <Ask
      title={`New keys for ${props.name}`}
      action="Make new keys"
      act={rotate}
      onDone={props.onKeys}
      onClose={props.onClose}
    >
      <ServerField id="rotate-server" server={server} />
      <Choice id="rotate-overlap" label="The old keys still open for" choices={OVERLAPS} {...chosenInto(overlap)} />
    </Ask>
  )
}
