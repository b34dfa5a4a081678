/** The frame around each view: where to go, how the server is, who is logged in. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Ghost, Icon } from '../shared/icons.tsx'
import { link, live, said } from './live/live.ts'
import { account, logOut, mayManage, state } from './session.ts'
import { StepUp } from './step-up.tsx'
import { AccountView } from './views/account.tsx'
import { Audit } from './views/audit.tsx'
import { DoctorView } from './views/doctor.tsx'
import { Grants } from './views/grants.tsx'
import { History } from './views/history.tsx'
import { Invitations } from './views/invitations.tsx'
import { Login } from './views/login.tsx'
import { Mends } from './views/mends.tsx'
import { PolicyView } from './views/policy.tsx'
import { RefusalsView } from './views/refusals.tsx'
import { Stream } from './views/stream.tsx'
import { UserView } from './views/user.tsx'
import { Users } from './views/users.tsx'
import { addressOf, type View, type ViewName, view } from './where.ts'

const TITLES: Readonly<Record<ViewName, string>> = {
  grants: 'Live grants',
  stream: 'Stream',
  refusals: 'Refusals',
  users: 'Users',
  invitations: 'Invitations',
  policy: 'Policy',
  doctor: 'Doctor',
  mends: 'Mends',
  history: 'History',
  audit: 'Audit log',
  account: 'Account',
}
const GROUPS: readonly (readonly [name: string, views: readonly ViewName[]])[] = [
  ['Now', ['grants', 'stream', 'refusals']],
  ['People', ['users', 'invitations']],
  ['Server', ['policy', 'doctor', 'mends']],
  ['Records', ['history', 'audit']],
]
/** Answered to administrators alone. */
const FOR_ADMINISTRATORS: ReadonlySet<ViewName> = new Set(['audit'])

export function App(): JSX.Element {
  const isIn = state.value === 'in'
  return (
    <>
      {state.value === 'out' && <Login />}
      {state.value === 'looking' && (
        <main class="login" aria-busy="true">
          <h1 class="hidden">ghostport</h1>
        </main>
      )}
      {isIn && <Frame />}
      {isIn && <StepUp />}
    </>
  )
}

function Frame(): JSX.Element {
  const shown = view.value
  const main = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  const isMenuOpen = useSignal(false)
  const key = `${shown.name}/${shown.of ?? ''}`
  const toTitle = (): void => main.current?.querySelector<HTMLElement>('h1')?.focus()
  useEffect(() => {
    document.title = `${TITLES[shown.name]} · ghostport`
    isMenuOpen.value = false
    if (!isFirst.current) toTitle()
    isFirst.current = false
    scrollTo(0, 0)
  }, [key])
  return (
    <div class="console">
      <button class="skip button" type="button" onClick={toTitle}>
        To the content
      </button>
      <header class="side">
        <div class="bar">
          <a class="brand" href={addressOf('grants')}>
            <Ghost size={24} /> <span class="word">ghostport</span>
          </a>
          <Health />
          <button
            class="button menu"
            type="button"
            aria-expanded={isMenuOpen.value}
            aria-controls="ways"
            onClick={() => {
              isMenuOpen.value = !isMenuOpen.value
            }}
          >
            Menu
          </button>
        </div>
        <div id="ways" class={isMenuOpen.value ? 'ways open' : 'ways'}>
          <nav aria-label="Views">
            {GROUPS.map(([name, views]) => (
              <div key={name} class="group">
                <h2 class="small soft">{name}</h2>
                <ul>
                  {views
                    .filter((it) => mayManage.value || !FOR_ADMINISTRATORS.has(it))
                    .map((it) => (
                      <li key={it}>
                        <a class="way" href={addressOf(it)} aria-current={shown.name === it ? 'page' : undefined}>
                          {TITLES[it]}
                        </a>
                      </li>
                    ))}
                </ul>
              </div>
            ))}
          </nav>
          <div class="group me">
            <a class="way" href={addressOf('account')} aria-current={shown.name === 'account' ? 'page' : undefined}>
              <Icon name="gear" size={20} />
              <span class="who">
                <bdi class="cut">{account.value?.name}</bdi>
                <span class="soft small">{account.value?.role}</span>
              </span>
            </a>
            <button class="way" type="button" onClick={() => void logOut()}>
              <Icon name="out" size={20} /> Log out
            </button>
          </div>
        </div>
      </header>
      <main ref={main} key={key}>
        <CurrentView shown={shown} />
      </main>
      <div class="hidden" role="status">
        {said.value}
      </div>
    </div>
  )
}

/** Always in the same place, so that bad news moves nothing. */
function Health(): JSX.Element {
  const { server } = live.value
  const [tone, words] =
    link.value === 'connecting'
      ? ['plain', 'connecting']
      : link.value === 'retrying'
        ? ['bad', 'no connection']
        : server?.state === 'away'
          ? ['bad', 'server away']
          : (server?.problems?.length ?? 0) > 0
            ? ['warn', `${server?.problems?.length} to look at`]
            : ['good', 'server is up']
  return (
    <a class={`health ${tone}`} href={addressOf('doctor')}>
      <span class="dot" aria-hidden="true" />
      {words}
    </a>
  )
}

function CurrentView({ shown }: { readonly shown: View }): JSX.Element {
  switch (shown.name) {
    case 'grants':
      return <Grants />
    case 'stream':
      return <Stream />
    case 'refusals':
      return <RefusalsView />
    case 'users':
      return shown.of === undefined ? <Users /> : <UserView name={shown.of} />
    case 'invitations':
      return <Invitations />
    case 'policy':
      return <PolicyView />
    case 'doctor':
      return <DoctorView />
    case 'mends':
      return <Mends />
    case 'history':
      return <History query={shown.query} />
    case 'audit':
      return <Audit />
    case 'account':
      return <AccountView />
    default:
      return shown.name satisfies never
  }
}
