/** One door: the large button, what became of the knock, and the proof. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { isClientSetting } from '../../../src/config/client/fwknoprc-settings.ts'
import { settingsOf } from '../../page/profile/kept.ts'
import { factsOf } from '../../page/profile/opens.ts'
import { Field } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { clockTime, countdown, now } from '../../shared/now.ts'
import { Ring } from '../../shared/ring.tsx'
import { type Going, going, keepOpen, keptOpen, knock, type More, rc, run, type Stanza, stanzaOf } from '../state.ts'
import { addressOf } from '../where.ts'

export function Door({ name }: { readonly name: string }): JSX.Element {
  const stanza = stanzaOf(name)
  const other = useSignal('')
  const first = useRef<HTMLButtonElement>(null)
  const isOpen = going.value.get(name)?.open !== undefined || going.value.get(name)?.receipt?.verdict === 'open'
  const shown = useRef(false)
  // “Close now” goes with the door. Who uses the keyboard goes on with the button that stays.
  useEffect(() => {
    if (shown.current && document.activeElement === document.body) first.current?.focus({ preventScroll: true })
    shown.current = true
  }, [isOpen])
  if (stanza === undefined) return <Notice kind="bad" title="There is no such stanza." />
  const now_ = going.value.get(name)
  const isBusy = now_?.isOver === false
  const allow = other.value.trim()
  const open = () => void knock(name, allow === '' ? {} : { allow })
  const close = () => {
    if (!isBusy && stanza.problem === undefined) void knock(name, { close: true, ...(allow === '' ? {} : { allow }) })
  }
  return (
    <>
      <div class="row apart">
        <div class="grow">
          <h1 tabIndex={-1}>{name}</h1>
          <p class="soft">{stanza.summary}</p>
        </div>
        <a class="button plain" href={addressOf({ name: 'edit', stanza: name })}>
          <Icon name="gear" /> Edit
        </a>
        <a class="button plain" href={addressOf({ name: 'share', stanza: name })}>
          <Icon name="out" /> Export
        </a>
      </div>
      <section class="card stack">
        {stanza.problem !== undefined && (
          <Notice kind="warn" title="This stanza cannot be used.">
            {stanza.problem.detail}
          </Notice>
        )}
        <button
          class="button first large"
          type="button"
          ref={first}
          aria-disabled={isBusy || stanza.problem !== undefined}
          onClick={isBusy || stanza.problem !== undefined ? undefined : open}
        >
          <span key={`${isBusy} ${isOpen}`}>{isBusy ? 'Knocking…' : isOpen ? 'Extend' : 'Open'}</span>
        </button>
        <Facts stanza={stanza} />
        <details>
          <summary>More</summary>
          <div class="stack">
            <Field
              id="allow"
              label="For another device: its address"
              hint="As the server sees it. The port is then not tried from here. Through a gateway, the server says what came of it."
              value={other.value}
              onInput={(value) => (other.value = value)}
              mono
            />
            {!isOpen && (
              <button
                class="button"
                type="button"
                aria-disabled={isBusy || stanza.problem !== undefined}
                onClick={close}
              >
                Close what may be open
              </button>
            )}
          </div>
        </details>
      </section>
      {/* At the end: what comes late moves nothing that is already there. */}
      <div role="status" class="stack outcomes">
        {now_ !== undefined && <Outcome name={name} known={now_} />}
      </div>
      {isOpen && (
        <section class="card stack" aria-label="Open">
          {/* Not in the region that is read out: it changes each second. */}
          {now_?.open !== undefined && now_.open.seconds !== null && (
            <Left from={now_.open.at} seconds={now_.open.seconds} />
          )}
          <button class="button" type="button" aria-disabled={isBusy} onClick={close}>
            Close now
          </button>
          {now_?.open !== undefined && now_.open.seconds !== null && (
            <label class="check">
              <input
                type="checkbox"
                checked={keptOpen.value.has(name)}
                onChange={(event) => keepOpen(name, event.currentTarget.checked)}
              />
              Keep it open: knock again before the time ends, while this page is open
            </label>
          )}
        </section>
      )}
    </>
  )
}

function Outcome({ name, known }: { readonly name: string; readonly known: Going }): JSX.Element {
  const { open, failure, sentTo, knocks, isOver, program, receipt, closes, retry = {} } = known
  if (failure?.asks !== undefined)
    return <AskPassphrase name={name} asks={failure.asks} detail={failure.detail} retry={retry} />
  if (closes === true && failure === undefined) return <Closing known={known} />
  return (
    <>
      {receipt?.verdict === 'open' && (
        <Notice
          kind="good"
          title={
            receipt.seconds === null
              ? 'Open, says the server.'
              : `Open until ${clockTime(receipt.at + 1000 * receipt.seconds)}, says the server.`
          }
        >
          {receipt.allow !== undefined && `For ${receipt.allow}.`}
        </Notice>
      )}
      {receipt?.verdict === 'done' && <Notice kind="good" title="Done, says the server." />}
      {failure !== undefined && (
        <Notice kind="bad" title={failure.detail}>
          {failure.suggestion !== null && <p>Perhaps: {failure.suggestion}</p>}
          {failure.causes.length > 0 && (
            <ul class="causes">
              {failure.causes.map((cause) => (
                <li key={cause}>{cause}</li>
              ))}
            </ul>
          )}
        </Notice>
      )}
      {open !== undefined && (
        <Notice
          kind={open.isOurs ? 'info' : open.already ? 'warn' : 'good'}
          title={
            open.isOurs
              ? `Port ${open.port} of ${open.address} is still open, since the knock before.`
              : open.already
                ? `Port ${open.port} of ${open.address} was open before the knock.`
                : `Open: port ${open.port} of ${open.address}, after ${open.milliseconds} ms.`
          }
        >
          <p>
            {open.isOurs
              ? 'Whether this knock gave it more time is not known.'
              : open.already
                ? 'So it is not known whether the server granted anything.'
                : `It was tried at ${clockTime(open.at)}, and answered.`}
          </p>
        </Notice>
      )}
      {open === undefined && failure === undefined && receipt === undefined && sentTo.length > 0 && (
        <Notice kind="info" title={isOver ? 'Sent. Whether it opened is not known.' : 'Sent. Trying the port…'}>
          {sentTo.join(', ')}
          {knocks > 1 && `, ${knocks} times`}
        </Notice>
      )}
      {program !== undefined && open !== undefined && (
        <AfterwardsOf program={program} onRun={() => void run(name, program.argv ?? [], open)} />
      )}
    </>
  )
}

/** A closing knock: what proves it, and what does not. */
function Closing({ known }: { readonly known: Going }): JSX.Element {
  const { receipt, tried, isOver } = known
  if (receipt?.verdict === 'closed')
    return (
      <Notice kind="good" title="Closed, says the server.">
        Connections that are open go on.
      </Notice>
    )
  if (tried?.isShut === true)
    return (
      <Notice kind="good" title={`Closed: port ${tried.port} of ${tried.address} does not answer any more.`}>
        Connections that are open go on.
      </Notice>
    )
  if (tried !== undefined)
    return (
      <Notice kind="warn" title={`Port ${tried.port} of ${tried.address} still answers.`}>
        Another user at the same address may have it open. An older server does not know such a request: the port then
        closes at its time.
      </Notice>
    )
  return (
    <Notice kind="info" title={isOver ? 'Sent. Whether it closed is not known.' : 'Sent. Trying the port…'}>
      It closes at its time in any case.
    </Notice>
  )
}

/** It goes to gpg by a pipe: no command line, no environment and no file has it. */
function AskPassphrase(props: {
  readonly name: string
  readonly asks: string
  readonly detail: string
  readonly retry: More
}): JSX.Element {
  const passphrase = useSignal('')
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        if (passphrase.value !== '') void knock(props.name, { ...props.retry, passphrase: passphrase.value })
      }}
    >
      {!props.detail.endsWith(': type it') && <Notice kind="bad" title={props.detail} />}
      <Field
        id="passphrase"
        label={props.asks}
        hint="Kept as long as this page is open, and in no file."
        type="password"
        value={passphrase.value}
        onInput={(value) => (passphrase.value = value)}
      />
      <button class="button first" type="submit">
        Go on
      </button>
    </form>
  )
}

function AfterwardsOf({
  program,
  onRun,
}: {
  readonly program: NonNullable<Going['program']>
  readonly onRun: () => void
}): JSX.Element {
  const [file = '', ...words] = program.filled
  if (program.state === 'started') return <Notice kind="info" title={`Started: ${file}`} />
  if (program.state === 'failed') return <Notice kind="bad" title={program.detail ?? 'it cannot be started'} />
  return (
    <Notice kind="warn" title="Run this program? It will run without a question from now on.">
      <ol class="words">
        <li>
          <code>{file}</code>
        </li>
        {words.map((word, i) => (
          <li key={i}>
            <code>{word === '' ? '(an empty word)' : word}</code>
          </li>
        ))}
      </ol>
      <button class="button" type="button" onClick={onRun}>
        Run it
      </button>
    </Notice>
  )
}

/** How long the server was asked to keep it open. It may have decided otherwise. */
function Left({ from, seconds }: { readonly from: number; readonly seconds: number }): JSX.Element {
  const until = from + 1000 * seconds
  const left = until - now.value
  if (left <= 0) return <p>The time that was asked for ended at {clockTime(until)}.</p>
  return (
    <Ring share={left / (1000 * seconds)} label={`Asked for until ${clockTime(until)}`}>
      <span class="time">{countdown(left)}</span>
      <span class="small">of {seconds} s asked for</span>
    </Ring>
  )
}

/** What the stanza asks for. Its keys are not known here. */
function Facts({ stanza }: { readonly stanza: Stanza }): JSX.Element | null {
  const all = new Map([...(rc.value?.defaults ?? []), ...stanza.settings].map((it) => [it.name, it]))
  const known = [...all.values()].flatMap(({ name, value }) =>
    value !== undefined && isClientSetting(name) ? [{ name, value }] : [],
  )
  const settings = settingsOf(known)
  if (!settings.ok) return null
  const ofKeys = ['Encryption', 'Signed with']
  return (
    <details>
      <summary>What it asks for</summary>
      <dl class="facts">
        {factsOf(settings.value)
          .filter(({ name }) => !ofKeys.includes(name))
          .map(({ name, value }) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        <dt>Keys</dt>
        <dd>{stanza.settings.some((it) => it.secret === true) ? 'in the rc file' : 'none in this stanza'}</dd>
      </dl>
    </details>
  )
}
