/** One door: whose address, the large button, and what became of it. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { type IpAddress, parseAddress } from '../../../src/packet/address.ts'
import { formatProtocolPorts } from '../../../src/packet/protocol-port.ts'
import { seconds } from '../../../src/units.ts'
import { Choice, Field } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { clockTime, countdown, day, now } from '../../shared/now.ts'
import { Ring } from '../../shared/ring.tsx'
import { isConfirmed, type SeenAddress } from '../knock/addresses.ts'
import type { Open, Outcome, Session } from '../knock/session.ts'
import { loadReasons } from '../parts.ts'
import { type KeptProfile, settingsOf } from '../profile/kept.ts'
import { linksFor } from '../profile/links.ts'
import { summary } from '../profile/opens.ts'
import { profiles, sessionOf } from '../profiles.ts'
import { addressOf } from '../where.ts'

export function Door({ id }: { readonly id: string }): JSX.Element {
  const profile = profiles.value.find((it) => it.id === id)
  if (profile === undefined)
    return (
      <>
        <h1 tabIndex={-1}>No such door</h1>
        <Notice kind="bad" title="This device has no such profile. It may have been removed." />
      </>
    )
  return <KnownDoor profile={profile} session={sessionOf(id)} />
}

const TIMES = [
  ['', 'The server decides'],
  ['30', '30 seconds'],
  ['60', '1 minute'],
  ['300', '5 minutes'],
  ['900', '15 minutes'],
  ['3600', '1 hour'],
] as const

function KnownDoor({ profile, session }: { readonly profile: KeptProfile; readonly session: Session }): JSX.Element {
  const left = useSignal<ReadonlySet<IpAddress>>(new Set())
  const other = useSignal('')
  const time = useSignal('')
  useEffect(() => {
    void session.look(profile)
  }, [profile, session])
  const buttons = useRef<HTMLElement>(null)
  const shown = useRef(false)

  const settings = settingsOf(profile.settings)
  const check = session.check.value
  const seen = check.kind === 'known' ? check.addresses : []
  const chosen = seen.filter(({ address }) => !left.value.has(address))
  const named = other.value.trim() === '' ? undefined : parseAddress(other.value.trim())
  const sources = named === undefined ? chosen.map(({ address }) => address) : named.ok ? [named.value] : []
  const doubts = named === undefined ? chosen.some((it) => it.relay !== undefined || it.others.length > 0) : false
  const skew = check.kind === 'known' ? check.skew : undefined
  const open = session.open.value
  const isOpen = open !== undefined && open.until > now.value
  // The button that was pressed is gone: who uses the keyboard goes on with the one in its place.
  useEffect(() => {
    if (shown.current && document.activeElement === document.body)
      buttons.current?.querySelector<HTMLElement>('button')?.focus({ preventScroll: true })
    shown.current = true
  }, [isOpen])
  const isReady = isOpen || named !== undefined || check.kind === 'known'
  const mayKnock = sources.length > 0 && !session.isBusy.value && settings.ok
  const knock = () => {
    if (!mayKnock) return
    const timeout = time.value === '' ? {} : { timeout: seconds(Number(time.value)) }
    void session.knock(profile, { sources, ...timeout })
  }
  const close = () => {
    if (!session.isBusy.value) void session.close(profile, { sources })
  }
  const label = doubts || skew?.kind === 'too far' ? 'Open anyway' : 'Open'
  return (
    <>
      <div class="row apart">
        <div class="grow">
          <h1 tabIndex={-1}>{profile.name}</h1>
          <p class="soft">{settings.ok ? summary(settings.value) : settings.failure.detail}</p>
        </div>
        <a class="button plain" href={addressOf({ name: 'edit', id: profile.id })}>
          Edit<span class="hidden"> {profile.name}</span>
        </a>
      </div>

      <section class="card stack" aria-labelledby="for-whom">
        <h2 id="for-whom">{named === undefined ? 'Opens for this device' : 'Opens for another device'}</h2>
        <div class="addresses">
          {named !== undefined ? (
            <p class="address big">{named.ok ? named.value : '–'}</p>
          ) : check.kind === 'asking' ? (
            <p class="soft">Asking for your address…</p>
          ) : seen.length === 0 ? (
            <Notice kind="warn" title="Your address is not known.">
              {check.silent.length === 0
                ? 'The profile names no gateway.'
                : `No answer from ${check.silent.join(', ')}.`}{' '}
              Are you online? You can also type the address below.
            </Notice>
          ) : (
            seen.map((it) => (
              <AddressRow
                key={it.address}
                seen={it}
                only={seen.length === 1}
                isChosen={!left.value.has(it.address)}
                onChoose={(yes) => {
                  const next = new Set(left.value)
                  if (yes) next.delete(it.address)
                  else next.add(it.address)
                  left.value = next
                }}
              />
            ))
          )}
        </div>
        {named === undefined && chosen.map((it) => <Doubts key={it.address} seen={it} />)}
        {skew !== undefined && skew.kind !== 'right' && (
          <Notice
            kind="warn"
            title={`The clock of this device is ${span(Math.abs(skew.seconds))} ${skew.seconds > 0 ? 'ahead' : 'behind'}.`}
          >
            {skew.kind === 'too far'
              ? 'The server may refuse the request. Set the clock first.'
              : 'Half a minute is too much for many servers.'}
          </Notice>
        )}
        {profile.until !== undefined && profile.until * 1000 < now.value && (
          <Notice kind="warn" title={`The keys of this profile ended on ${day(profile.until)}.`}>
            Ask your administrator for a new profile.
          </Notice>
        )}
        {isReady && (
          <details>
            <summary>More</summary>
            <div class="stack">
              <Field
                id="other-address"
                label="For another device"
                hint="Its address, as the server sees it. Empty: for this device"
                mono
                value={other.value}
                onInput={(value) => (other.value = value)}
                wrong={named !== undefined && !named.ok ? named.failure.detail : undefined}
              />
              <Choice
                id="time"
                label="For how long"
                value={time.value}
                choices={TIMES}
                onChange={(value) => (time.value = value)}
                hint="The server may allow less."
              />
              {!isOpen && (
                <button class="button" type="button" onClick={close} aria-disabled={!mayKnock}>
                  Close what may be open
                </button>
              )}
            </div>
          </details>
        )}
      </section>

      {/* Not before the address is known: what comes late must move nothing that is already there. */}
      {isReady && (
        <section class="knock" aria-label="Knock" ref={buttons}>
          {isOpen ? (
            <OpenRing open={open} />
          ) : (
            <button class="knob" type="button" aria-disabled={!mayKnock} onClick={knock}>
              <Icon name={session.isBusy.value ? 'lock' : 'key'} size={44} />
              <span key={session.isBusy.value}>{session.isBusy.value ? 'Sending…' : label}</span>
            </button>
          )}
          <div class="said" role="status">
            <Said session={session} isOpen={isOpen} wasOpen={open} />
          </div>
          {isOpen && (
            <>
              <div class="row">
                <button class="button grow" type="button" onClick={knock} aria-disabled={!mayKnock}>
                  {session.isBusy.value ? 'Asking…' : 'Extend'}
                </button>
                <button class="button grow" type="button" onClick={close} aria-disabled={session.isBusy.value}>
                  Close now
                </button>
              </div>
              <label class="check">
                <input
                  type="checkbox"
                  checked={session.keepsOpen.value}
                  onChange={(event) => {
                    if (!event.currentTarget.checked) return session.letItEnd()
                    session.keepsOpen.value = true
                    knock()
                  }}
                />
                Keep it open: ask again before the end, while this page is unlocked
              </label>
            </>
          )}
          {isOpen && settings.ok && (
            <Links links={[...profile.links, ...linksFor(settings.value.server ?? '', open.requests)]} />
          )}
        </section>
      )}
    </>
  )
}

function AddressRow(props: {
  readonly seen: SeenAddress
  readonly only: boolean
  readonly isChosen: boolean
  readonly onChoose: (yes: boolean) => void
}): JSX.Element {
  const { seen, only, isChosen, onChoose } = props
  const said = isConfirmed(seen) ? (
    <span class="badge good">
      <Icon name="check" size={16} /> {seen.from.length} agree
    </span>
  ) : (
    <span class="soft small">says {seen.from.join(', ')}</span>
  )
  if (only)
    return (
      <div class="row apart">
        <span class="address big">{seen.address}</span>
        {said}
      </div>
    )
  return (
    <label class="check row apart">
      <input type="checkbox" checked={isChosen} onChange={(event) => onChoose(event.currentTarget.checked)} />
      <span class="address big grow">{seen.address}</span>
      {said}
    </label>
  )
}

function Doubts({ seen }: { readonly seen: SeenAddress }): JSX.Element | null {
  const { others, relay } = seen
  if (others.length > 0)
    return (
      <Notice kind="warn" title="The services do not agree on your address.">
        {others.map(({ from, address }) => `${from} says ${address}.`).join(' ')} One of them may be lying, to have the
        door opened for somebody else. Or your connection leaves by several ways.
      </Notice>
    )
  if (relay !== undefined)
    return (
      <Notice kind="warn" title={`This looks like ${relay}.`}>
        It carries this browser, and not your other programs: the door would open for the relay. Switch it off for this
        page, or name your address under “More”.
      </Notice>
    )
  if (seen.isPrivate)
    return (
      <Notice kind="info" title="This is an address of your own network.">
        That is right if the server is in the same network, and wrong otherwise.
      </Notice>
    )
  if (!isConfirmed(seen))
    return (
      <Notice kind="info" title="Only one service says so.">
        If it lies, the door opens for somebody else. Add a second one under “Edit”.
      </Notice>
    )
  return null
}

function OpenRing({ open }: { readonly open: Open }): JSX.Element {
  const left = open.until - now.value
  return (
    <Ring share={left / (open.until - open.from)} label={`Open until ${clockTime(open.until)}`}>
      <span class="soft small">open</span>
      <strong class="time">{countdown(left)}</strong>
      <span class="soft small">until {clockTime(open.until)}</span>
    </Ring>
  )
}

/** What a screen reader is told, and everybody sees. Changes with the outcome, not with each second. */
function Said(props: {
  readonly session: Session
  readonly isOpen: boolean
  readonly wasOpen: Open | undefined
}): JSX.Element | null {
  const { session, isOpen, wasOpen } = props
  const phase = session.phase.value
  switch (phase.kind) {
    case 'idle':
      return null
    case 'sending':
    case 'waiting':
      // The buttons say that it is asked again. What was said stays, so that nothing moves.
      if (isOpen && wasOpen !== undefined) return <OpenSaid open={wasOpen} />
      return (
        <p key={phase.kind} class="soft">
          {phase.kind === 'sending' ? 'Sealing and sending…' : 'Sent. Waiting for the receipt of the server…'}
        </p>
      )
    case 'failed':
      return (
        <Notice kind="bad" title="Nothing was sent.">
          {sentence(phase.failure.detail)}
        </Notice>
      )
    case 'answered': {
      const isShut = phase.outcomes.every(({ kind }) => kind === 'closed')
      const bad = phase.outcomes.filter(({ kind }) => kind === 'refused' || kind === 'unproven')
      return (
        <div class="stack tight">
          {isOpen && wasOpen !== undefined && <OpenSaid open={wasOpen} />}
          {isShut && (
            <Notice kind="good" title="Closed, says the server.">
              Connections that are open go on.
            </Notice>
          )}
          {!isOpen && wasOpen !== undefined && bad.length === 0 && (
            <Notice kind="info" title="The door has closed again." />
          )}
          {phase.outcomes.some(({ kind }) => kind === 'done') && <Notice kind="good" title="Done, says the server." />}
          {bad.map((outcome) => (
            <Bad key={about(outcome.request)} outcome={outcome} />
          ))}
        </div>
      )
    }
    default:
      return phase satisfies never
  }
}

function OpenSaid({ open }: { readonly open: Open }): JSX.Element {
  return (
    <Notice kind="good" title={`Open until ${clockTime(open.until)}, says the server.`}>
      {open.requests.map(about).join('; ')}
    </Notice>
  )
}

function Bad({ outcome }: { readonly outcome: Outcome }): JSX.Element {
  const reason = useSignal<string | undefined>(undefined)
  const code = outcome.kind === 'refused' ? outcome.code : undefined
  useEffect(() => {
    if (code !== undefined)
      void loadReasons().then(({ reasonOf }) => {
        reason.value = reasonOf(code) ?? 'this version does not know the reason'
      })
  }, [code])
  if (code !== undefined)
    return (
      <Notice kind="bad" title="The server refused it.">
        {reason.value !== undefined && (
          <>
            {sentence(reason.value)} <code>{code}</code> ({about(outcome.request)})
          </>
        )}
      </Notice>
    )
  if (outcome.request.kind === 'close')
    return (
      <Notice kind="info" title="Sent. There is no proof that it closed.">
        No receipt came back that your keys verify. An older server does not know such a request. The door closes at its
        time in any case.
      </Notice>
    )
  return (
    <Notice kind="info" title="Sent. There is no proof that it opened.">
      No receipt came back that your keys verify ({about(outcome.request)}). The server may give none. Try to connect.
      If the door stays shut, ask your administrator: the log of the server has the reason.
    </Notice>
  )
}

function Links({ links }: { readonly links: readonly string[] }): JSX.Element | null {
  const all = [...new Set(links)]
  if (all.length === 0) return null
  return (
    <ul class="stack tight" aria-label="Go on with">
      {all.map((link) => (
        <li key={link}>
          <a
            class="button first wide"
            href={link}
            target={/^https?:/.test(link) ? '_blank' : undefined}
            rel="noopener noreferrer"
          >
            {link.replace(/\/$/, '')} <Icon name="out" size={18} />
          </a>
        </li>
      ))}
    </ul>
  )
}

function span(seconds: number): string {
  return seconds < 90 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`
}

function about(request: Outcome['request']): string {
  if (request.kind === 'command') return 'a command'
  if (request.kind === 'close') return `to close it for ${request.source}`
  return `${formatProtocolPorts(request.ports).replaceAll(',', ', ')} for ${request.source}`
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
