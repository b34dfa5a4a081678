/** The frame around each view. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Ghost, Icon } from '../shared/icons.tsx'
import { Notice } from '../shared/notice.tsx'
import { connection } from './api.ts'
import { look, rc, wrong } from './state.ts'
import { Door } from './views/door.tsx'
import { Edit } from './views/edit.tsx'
import { Home } from './views/home.tsx'
import { Import } from './views/import.tsx'
import { KnockHistory } from './views/knock-history.tsx'
import { Share } from './views/share.tsx'
import { addressOf, view } from './where.ts'

const TITLES = {
  home: 'Doors',
  door: 'Door',
  edit: 'Edit',
  share: 'Export',
  new: 'New door',
  import: 'Import',
  history: 'History',
}

export function App(): JSX.Element {
  const shown = view.value
  const key = addressOf(shown)
  const main = useRef<HTMLElement>(null)
  const first = useRef(true)
  useEffect(() => {
    document.title = `${TITLES[shown.name]} · ghostport`
    if (!first.current) main.current?.querySelector<HTMLElement>('h1')?.focus()
    first.current = false
    scrollTo(0, 0)
  }, [key])
  // Another program may have changed the file while this page was behind another one.
  useEffect(() => {
    const again = () => {
      if (document.visibilityState === 'visible') void look()
    }
    document.addEventListener('visibilitychange', again)
    return () => document.removeEventListener('visibilitychange', again)
  }, [])
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
        <div role="alert">
          <Trouble />
        </div>
        {connection.value !== 'strange' && rc.value !== undefined && <CurrentView />}
      </main>
      <footer class="foot">
        {rc.value !== undefined && (
          <span>
            {rc.value.file} · ghostport {rc.value.version}
          </span>
        )}
      </footer>
    </div>
  )
}

function Trouble(): JSX.Element | null {
  if (connection.value === 'strange')
    return (
      <Notice kind="warn" title="This tab was not opened by ghostport.">
        Run “ghostport ui” again. It opens a tab that may use it.
      </Notice>
    )
  if (connection.value === 'gone')
    return (
      <Notice kind="warn" title="The program behind this page has ended.">
        Run “ghostport ui” again.
      </Notice>
    )
  if (wrong.value === undefined) return null
  const { sentence, detail, suggestion } = wrong.value
  return (
    <Notice kind="bad" title={sentence}>
      {detail}
      {suggestion !== null && <> Perhaps: {suggestion}</>}
    </Notice>
  )
}

function CurrentView(): JSX.Element {
  const shown = view.value
  switch (shown.name) {
    case 'door':
      return <Door name={shown.stanza} />
    case 'edit':
      return <Edit name={shown.stanza} />
    case 'share':
      return <Share name={shown.stanza} />
    case 'new':
      return <Edit name={undefined} />
    case 'import':
      return <Import />
    case 'history':
      return <KnockHistory />
    default:
      return <Home />
  }
}
