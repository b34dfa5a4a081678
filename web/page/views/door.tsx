/** One door: whose address, the large button, and what became of it. */
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Notice } from '../../shared/notice.tsx'
import { isConfirmed } from '../knock/addresses.ts'
import { settingsOf } from '../profile/kept.ts'
import { summary } from '../profile/opens.ts'
import { echoPoints, profiles, sessionOf } from '../profiles.ts'

export function Door({ id }: { readonly id: string }): JSX.Element {
  const profile = profiles.value.find((it) => it.id === id)
  const session = sessionOf(id)
  useEffect(() => {
    if (profile !== undefined) void session.look(echoPoints(profile))
  }, [profile])
  if (profile === undefined) return <Notice kind="bad" title="There is no such profile." />
  const settings = settingsOf(profile.settings)
  const check = session.check.value
  const phase = session.phase.value
  const addresses = check.kind === 'known' ? check.addresses : []
  const open = () => void session.knock(profile, { sources: addresses.map(({ address }) => address) })
  return (
    <>
      <div>
        <h1 tabIndex={-1}>{profile.name}</h1>
        <p class="soft">{settings.ok ? summary(settings.value) : settings.failure.detail}</p>
      </div>
      <section class="card stack">
        <h2>Your address</h2>
        {check.kind === 'asking' && <p class="soft">Asking…</p>}
        {addresses.map((it) => (
          <p key={it.family}>
            <span class="address">{it.address}</span>{' '}
            <span class="soft small">
              {isConfirmed(it) ? 'confirmed by two' : `only ${it.from.join(', ')} says so`}
            </span>
          </p>
        ))}
        <button
          class="button first large"
          type="button"
          disabled={addresses.length === 0 || phase.kind === 'sending' || phase.kind === 'waiting'}
          onClick={open}
        >
          Open
        </button>
        <div role="status">
          {phase.kind === 'unproven' && <Notice kind="info" title="Sent. There is no proof that it opened." />}
          {phase.kind === 'failed' && <Notice kind="bad" title={phase.failure.detail} />}
        </div>
      </section>
    </>
  )
}
