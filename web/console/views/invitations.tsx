/** Invitations: a link for a new user, who claimed it, and the yes that makes it last. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { post, type User } from '../api.ts'
import { useFetched } from '../parts/fetched.ts'
import { InvitationFacts } from '../parts/invitation.tsx'
import { Copied } from '../parts/new-keys.tsx'
import { Outcome, useChanges } from '../parts/outcome.tsx'
import { QrCode } from '../parts/qr-code.tsx'
import { Tools } from '../parts/tools.tsx'
import { UserForm } from '../parts/user-form.tsx'
import { mayManage } from '../session.ts'
import { moment } from '../texts/times.ts'
import { isClaimed } from '../texts/users.ts'

interface Made {
  readonly name: string
  readonly link: string
  readonly until: string | null
}

export function Invitations(): JSX.Element {
  const { value, failure, again } = useFetched<{ readonly users: readonly User[] }>('/v1/users')
  const isMaking = useSignal(false)
  const made = useSignal<Made | undefined>(undefined)
  const { wrong, done, after } = useChanges(again)
  const invited = (value.value?.users ?? [])
    .flatMap(({ name, invitation }) => (invitation === null ? [] : [{ name, invitation }]))
    // Those that wait for an answer first.
    .toSorted((one, other) => Number(isClaimed(other.invitation)) - Number(isClaimed(one.invitation)))
  return (
    <>
      <Tools title="Invitations" count={value.value === undefined ? '' : `${invited.length} open`}>
        <p class="soft grow">The device makes its way in with a link that is good once. You see who took it.</p>
        {mayManage.value && !isMaking.value && (
          <button
            class="button first"
            type="button"
            onClick={() => {
              isMaking.value = true
              made.value = undefined
            }}
          >
            <Icon name="plus" /> Invite somebody
          </button>
        )}
      </Tools>
      <Outcome failure={failure.value ?? wrong.value} done={done.value} />
      {isMaking.value && (
        <UserForm
          kind="invitation"
          submit="Make the link"
          onSubmit={async (wishes) => {
            const answer = await post<Omit<Made, 'name'>>('/v1/invitations', wishes)
            if (!answer.ok) return answer.failure
            made.value = { name: wishes.name, ...answer.value }
            isMaking.value = false
            void again()
            return undefined
          }}
        />
      )}
      {made.value !== undefined && (
        <section class="card stack">
          <h2>
            The link for <bdi>{made.value.name}</bdi>
          </h2>
          <Notice kind="warn" title="It is shown once.">
            It is good for one device{made.value.until !== null && `, until ${moment(made.value.until)}`}.
          </Notice>
          <div class="keys">
            <QrCode text={made.value.link} label={`QR code of the invitation for ${made.value.name}`} />
            <Copied id="invitation-link" label="The link" text={made.value.link} />
          </div>
        </section>
      )}
      {invited.map(({ name, invitation }) => (
        <InvitationFacts key={name} name={name} invitation={invitation} onChange={after} />
      ))}
      {value.value !== undefined && invited.length === 0 && !isMaking.value && made.value === undefined && (
        <p class="soft">No invitation is open.</p>
      )}
    </>
  )
}
