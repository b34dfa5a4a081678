/** One invitation: who claimed it, from where; and the administrator’s yes or no. */
import type { JSX } from 'preact'
import { type Answer, type Invitation, post } from '../api.ts'
import { mayManage } from '../session.ts'
import { fieldText } from '../texts/events.ts'
import { moment } from '../texts/times.ts'
import { invitationWord, isClaimed } from '../texts/users.ts'

export function InvitationFacts(props: {
  readonly name: string
  readonly invitation: Invitation
  readonly onChange: (answer: Answer<unknown>, words: string) => void
}): JSX.Element {
  const { name, invitation, onChange } = props
  return (
    <section class="card stack" aria-label={`Invitation of ${name}`}>
      <h2>
        <bdi>{name}</bdi>: {invitationWord(invitation)}
      </h2>
      <dl class="facts">
        {invitation.until !== undefined && (
          <>
            <dt>Good until</dt>
            <dd>{moment(invitation.until)}</dd>
          </>
        )}
        {Object.entries(invitation.claim ?? {}).map(([field, value]) => (
          <ClaimRow key={field} field={field} value={value} />
        ))}
      </dl>
      {isClaimed(invitation) && <p>Ask your user whether it was them, by another way. Then confirm.</p>}
      {mayManage.value && (
        <div class="row">
          {isClaimed(invitation) && (
            <button
              class="button first"
              type="button"
              onClick={async () => onChange(await post('/v1/invitations/confirm', { name }), `${name} is confirmed.`)}
            >
              Confirm<span class="hidden"> {name}</span>
            </button>
          )}
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

function ClaimRow({ field, value }: { readonly field: string; readonly value: unknown }): JSX.Element {
  const isTime = typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)
  return (
    <>
      <dt>Claimed: {field}</dt>
      <dd>
        <bdi>{isTime ? moment(value) : fieldText(value)}</bdi>
      </dd>
    </>
  )
}
