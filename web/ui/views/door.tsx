/** One door: the large button, what became of the knock, and the proof. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { Field } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { type Going, going, knock, run, stanzaOf } from '../state.ts'
import { addressOf } from '../where.ts'

export function Door({ name }: { readonly name: string }): JSX.Element {
  const stanza = stanzaOf(name)
  const other = useSignal('')
  if (stanza === undefined) return <Notice kind="bad" title="There is no such stanza." />
  const now = going.value.get(name)
  const isBusy = now?.isOver === false
  const allow = other.value.trim()
  const open = () => void knock(name, allow === '' ? {} : { allow })
  return (
    <>
      <div>
        <h1 tabIndex={-1}>{name}</h1>
        <p class="soft">{stanza.summary}</p>
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
          aria-disabled={isBusy || stanza.problem !== undefined}
          onClick={isBusy || stanza.problem !== undefined ? undefined : open}
        >
          {isBusy ? 'Knocking…' : now?.open === undefined ? 'Open' : 'Knock again'}
        </button>
        <div role="status" class="stack">
          {now !== undefined && <Outcome name={name} now={now} />}
        </div>
        <details>
          <summary>For another device</summary>
          <Field
            id="allow"
            label="Its address"
            hint="As the server sees it. The port is then not tried from here."
            value={other.value}
            onInput={(value) => (other.value = value)}
            mono
          />
        </details>
      </section>
      <div class="row">
        <a class="button" href={addressOf({ name: 'edit', stanza: name })}>
          <Icon name="gear" /> Edit
        </a>
        <a class="button" href={addressOf({ name: 'share', stanza: name })}>
          <Icon name="out" /> Export
        </a>
      </div>
    </>
  )
}

function Outcome({ name, now }: { readonly name: string; readonly now: Going }): JSX.Element {
  const { open, failure, sentTo, knocks, isOver, program } = now
  return (
    <>
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
          kind={open.already ? 'warn' : 'good'}
          title={
            open.already
              ? `Port ${open.port} of ${open.address} was open before the knock.`
              : `Open: port ${open.port} of ${open.address}, after ${open.milliseconds} ms.`
          }
        >
          <p>
            {open.already
              ? 'So it is not known whether the server granted anything.'
              : `It was tried at ${timeOf(open.at)}, and answered.`}{' '}
            {open.seconds !== null && <Left until={open.at + open.seconds * 1000} />}
          </p>
        </Notice>
      )}
      {open === undefined && failure === undefined && sentTo.length > 0 && (
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
          // biome-ignore lint/suspicious/noArrayIndexKey: the same word may be there twice
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
function Left({ until }: { readonly until: number }): JSX.Element {
  const now = useSignal(Date.now())
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  const seconds = Math.ceil((until - now.value) / 1000)
  return (
    <span class="small">
      {seconds > 0
        ? `Asked for until ${timeOf(until)}: ${seconds} s more.`
        : `The time that was asked for ended at ${timeOf(until)}.`}
    </span>
  )
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toLocaleTimeString()
}
