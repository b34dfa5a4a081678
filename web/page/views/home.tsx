/** All doors: one large button each. */
import type { JSX } from 'preact'
import { Ghost, Icon } from '../../shared/icons.tsx'
import { countdown, now } from '../../shared/now.ts'
import { type KeptProfile, settingsOf } from '../profile/kept.ts'
import { summary } from '../profile/opens.ts'
import { profiles, sessionOf } from '../profiles.ts'
import { addressOf } from '../where.ts'

export function Home(): JSX.Element {
  if (profiles.value.length === 0) return <Empty />
  return (
    <>
      <h1 tabIndex={-1}>Doors</h1>
      <ul class="stack">
        {profiles.value.map((profile) => (
          <Entry key={profile.id} profile={profile} />
        ))}
      </ul>
      <a class="button" href={addressOf({ name: 'add' })}>
        <Icon name="plus" /> Add a profile
      </a>
    </>
  )
}

function Entry({ profile }: { readonly profile: KeptProfile }): JSX.Element {
  const settings = settingsOf(profile.settings)
  const open = sessionOf(profile.id).open.value
  const left = open === undefined ? 0 : open.until - now.value
  return (
    <li class="card stack">
      <div class="row apart">
        <h2 class="grow">{profile.name}</h2>
        {left > 0 && (
          <span class="badge good">
            <Icon name="check" size={16} /> open · {countdown(left)}
          </span>
        )}
      </div>
      <p class="soft">{settings.ok ? summary(settings.value) : settings.failure.detail}</p>
      <a class="button first large" href={addressOf({ name: 'door', id: profile.id })}>
        {left > 0 ? 'Show' : 'Open'} <span class="hidden">{profile.name}</span>
      </a>
    </li>
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
