/** One invitation: who claimed it, from where; and the administrator’s yes or no. */
import type { JSX } from 'preact'
import { type Answer, type Invitation, post } from '../api.ts'
import { mayManage } from '../session.ts'
import { moment } from '../texts/times.ts'
import { invitationWord, isClaimed } from '../texts/users.ts'

export function InvitationFacts(props: {
  readonly name: string
  readonly invitation: Invitation
  readonly onChange: (answer: Answer<unknown>, words: string) => void
}): JSX.Element {
  const { name, invitation, onChange } = props
  const { claim } = invitation
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
            <dt>The device shows</dt>
            <dd>
              <bdi class="mono fingerprint">{claim.fingerprint}</bdi>
            </dd>
          </>
        )}
      </dl>
      {isClaimed(invitation) && (
        <p>Call your user. Confirm only if their device shows these very signs: then its keys begin to work.</p>
      )}
      {mayManage.value && (
        <div class="row">
          {isClaimed(invitation) && (
            <button
              class="button first"
              type="button"
              onClick={async () =>
                onChange(
                  await post('/v1/invitations/confirm', { name, fingerprint: claim?.fingerprint }),
                  `${name} is confirmed.`,
                )
              }
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
