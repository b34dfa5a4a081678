/** The frame around each view: the bar above, and the line that says whose page this is. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Ghost, Icon } from '../shared/icons.tsx'
import { Notice } from '../shared/notice.tsx'
import '../shared/theme.ts'
import { whenIdle } from './idle.ts'
import { newer } from './installed.ts'
import { lock } from './profiles.ts'
import { idleMinutes, vault } from './vault/vault.ts'
import { Add } from './views/add.tsx'
import { Door } from './views/door.tsx'
import { Edit } from './views/edit.tsx'
import { Home } from './views/home.tsx'
import { Impossible } from './views/impossible.tsx'
import { Invite } from './views/invite.tsx'
import { Settings } from './views/settings.tsx'
import { Trust } from './views/trust.tsx'
import { Unlock } from './views/unlock.tsx'
import { Welcome } from './views/welcome.tsx'
import { addressOf, view } from './where.ts'

const TITLES = {
  home: 'Doors',
  add: 'Add a profile',
  door: 'Door',
  edit: 'Edit',
  settings: 'Settings',
  trust: 'Who can see what',
  invite: 'Invitation',
} as const

export function App(): JSX.Element {
  const shown = view.value
  const state = vault.value.kind
  const isOpen = state === 'open'
  const main = useRef<HTMLElement>(null)
  const key = isOpen || shown.name === 'trust' ? addressOf(shown) : state
  const first = useRef(true)
  useEffect(() => {
    document.title = `${isOpen || shown.name === 'trust' ? TITLES[shown.name] : 'Locked'} · ghostport`
    if (state === 'loading') return
    // A change of view is told by the title of the new one. The first view begins where the browser begins.
    if (!first.current) main.current?.querySelector<HTMLElement>('h1')?.focus()
    first.current = false
    scrollTo(0, 0)
  }, [key])
  useEffect(() => (isOpen ? whenIdle(() => idleMinutes.peek(), lock) : undefined), [isOpen])
  return (
    <div class="page">
      <header class="bar">
        {isOpen && shown.name !== 'home' ? (
          <a class="button icon" href={addressOf({ name: 'home' })} aria-label="All doors">
            <Icon name="back" />
          </a>
        ) : (
          <span />
        )}
        <span class="brand">
          <Ghost size={22} /> ghostport
        </span>
        <span class="side">
          {isOpen && (
            <>
              <a class="button icon" href={addressOf({ name: 'settings' })} aria-label="Settings">
                <Icon name="gear" />
              </a>
              <button class="button icon" type="button" aria-label="Lock" onClick={lock}>
                <Icon name="lock" />
              </button>
            </>
          )}
        </span>
      </header>
      <main ref={main} key={key}>
        <CurrentView />
      </main>
      <footer class="foot">
        {newer.value !== undefined && (
          <Notice kind="info" title="There is a newer version of this page.">
            <button class="button" type="button" onClick={newer.value}>
              Load it
            </button>
          </Notice>
        )}
        <a href={addressOf(shown.name === 'trust' ? { name: 'home' } : { name: 'trust' })}>
          <Icon name="shield" size={16} />
          {shown.name === 'trust' ? 'Back' : `Page from ${location.protocol === 'file:' ? 'a file' : location.host}`}
        </a>
      </footer>
    </div>
  )
}

function CurrentView(): JSX.Element | null {
  const shown = view.value
  if (shown.name === 'trust') return <Trust />
  const state = vault.value
  switch (state.kind) {
    case 'loading':
      return null
    case 'impossible':
      return <Impossible reason={state.reason} />
    case 'missing':
      return <Welcome lost={state.lost} />
    case 'locked':
      return <Unlock hasPasskey={state.hasPasskey} />
    case 'open':
      break
    default:
      return state satisfies never
  }
  switch (shown.name) {
    case 'add':
      return <Add />
    case 'door':
      return <Door id={shown.id} />
    case 'edit':
      return <Edit id={shown.id} />
    case 'settings':
      return <Settings />
    case 'invite':
      return <Invite />
    case 'home':
      return <Home />
    default:
      return shown satisfies never
  }
}
