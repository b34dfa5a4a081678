/** The frame around each view: the bar above, and the line that says whose page this is. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Ghost, Icon } from '../shared/icons.tsx'
import { Add } from './views/add.tsx'
import { Door } from './views/door.tsx'
import { Home } from './views/home.tsx'
import { addressOf, view } from './where.ts'

const TITLES = { home: 'Doors', add: 'Add a profile', door: 'Door', edit: 'Edit', settings: 'Settings', trust: 'Trust' }

export function App(): JSX.Element {
  const shown = view.value
  const main = useRef<HTMLElement>(null)
  const key = addressOf(shown)
  const first = useRef(true)
  useEffect(() => {
    document.title = `${TITLES[shown.name]} · ghostport`
    if (!first.current) main.current?.querySelector<HTMLElement>('h1')?.focus()
    first.current = false
    scrollTo(0, 0)
  }, [key])
  return (
    <div class="page">
      <header class="bar">
        {shown.name === 'home' ? (
          <span />
        ) : (
          <a class="button icon" href={addressOf({ name: 'home' })} aria-label="Back to all doors">
            <Icon name="back" />
          </a>
        )}
        <span class="brand">
          <Ghost size={22} /> ghostport
        </span>
        <span class="side" />
      </header>
      <main ref={main} key={key}>
        <CurrentView />
      </main>
      <footer class="foot">
        <span>{location.host === '' ? 'from a file' : `from ${location.host}`}</span>
      </footer>
    </div>
  )
}

function CurrentView(): JSX.Element {
  const shown = view.value
  switch (shown.name) {
    case 'add':
      return <Add />
    case 'door':
      return <Door id={shown.id} />
    default:
      return <Home />
  }
}
