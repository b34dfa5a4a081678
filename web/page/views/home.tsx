/** All doors: one large button each. */
import type { JSX } from 'preact'
import { Ghost, Icon } from '../../shared/icons.tsx'
import { settingsOf } from '../profile/kept.ts'
import { summary } from '../profile/opens.ts'
import { profiles } from '../profiles.ts'
import { addressOf } from '../where.ts'

export function Home(): JSX.Element {
  if (profiles.value.length === 0) return <Empty />
  return (
    <>
      <h1 tabIndex={-1}>Doors</h1>
      <ul class="stack">
        {profiles.value.map((profile) => {
          const settings = settingsOf(profile.settings)
          return (
            <li key={profile.id} class="card stack">
              <div>
                <h2>{profile.name}</h2>
                <p class="soft small">{settings.ok ? summary(settings.value) : settings.failure.detail}</p>
              </div>
              <a class="button first large" href={addressOf({ name: 'door', id: profile.id })}>
                Open <span class="hidden">{profile.name}</span>
              </a>
            </li>
          )
        })}
      </ul>
      <a class="button" href={addressOf({ name: 'add' })}>
        <Icon name="plus" /> Add a profile
      </a>
    </>
  )
}

function Empty(): JSX.Element {
  return (
    <div class="hero">
      <Ghost size={72} />
      <h1 tabIndex={-1}>No door yet</h1>
      <p class="soft">
        A profile says which door opens, and holds its keys. Your administrator makes one with “ghostport user add”, as
        a QR code or as a line of text.
      </p>
      <a class="button first" href={addressOf({ name: 'add' })}>
        <Icon name="plus" /> Add a profile
      </a>
    </div>
  )
}
