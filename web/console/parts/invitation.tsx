/** One invitation: who claimed it, from where; and the administrator’s yes or no. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { type Answer, type Invitation, post } from '../api.ts'
import { mayManage } from '../session.ts'
import { moment } from '../texts/times.ts'
import { invitationWord, isClaimed } from '../texts/users.ts'
import { typedInto } from './bound.ts'

export function InvitationFacts(props: {
  readonly name: string
  readonly invitation: Invitation
  readonly onChange: (answer: Answer<unknown>, words: string) => void
}): JSX.Element {
  const { name, invitation, onChange } = props
  const { claim } = invitation
  const digits = useSignal('')
  return (
    <section class="card stack" aria-label={`Invitation of ${name}`}>
      <h2>
        <bdi>{name}</bdi>: {invitationWord(invitation)}
      </h2>
      <dl class="facts">
        {invitation.until != null && (
          <>
            <dt>Good until</dt>
            <dd>{moment(invitation.until)}</dd>
          </>
        )}
        {claim !== undefined && (
          <>
            <dt>Taken</dt>
            <dd>{claim.at === null ? 'at a time that is not known' : moment(claim.at)}</dd>
            <dt>From</dt>
            <dd>
              <bdi class="address">{claim.from ?? 'not known'}</bdi>
            </dd>
          </>
        )}
      </dl>
      {isClaimed(invitation) && mayManage.value && (
        <form
          class="stack"
          onSubmit={async (event) => {
            event.preventDefault()
            const body = { name, fingerprint: digits.value.trim() }
            onChange(await post('/v1/invitations/confirm', body), `${name} is confirmed.`)
          }}
        >
          <Field
            id={`digits-${name}`}
            label="The digits that the device shows"
            hint="Call your user, and let them read the digits to you. This page does not show them: others may have taken the link."
            {...typedInto(digits)}
            mono
            required
          />
          <div class="row">
            <button class="button first" type="submit">
              Confirm<span class="hidden"> {name}</span>
            </button>
          </div>
        </form>
      )}
      {mayManage.value && (
        <div class="row">
          <button
            class="button danger"
            type="button"
            onClick={async () =>
              onChange(await post('/v1/invitations/cancel', { name }), `The invitation of ${name} is cancelled.`)
            }
          >
            Cancel it, and remove the user<span class="hidden"> {name}</span>
          </button>
        </div>
      )}
    </section>
  )
}
