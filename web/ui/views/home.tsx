/** All stanzas: a large button each. */
import type { JSX } from 'preact'
import { Ghost, Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { knock, rc, type Stanza } from '../state.ts'
import { addressOf, go } from '../where.ts'

export function Home(): JSX.Element {
  const stanzas = rc.value?.stanzas ?? []
  if (stanzas.length === 0)
    return (
      <div class="hero">
        <Ghost size={72} />
        <h1 tabIndex={-1}>No door yet</h1>
        <p class="soft">
          A stanza of {rc.value?.file} says which door opens, and holds its keys. Your administrator makes a profile
          with “ghostport user add”.
        </p>
        <Ways />
      </div>
    )
  return (
    <>
      <h1 tabIndex={-1}>Doors</h1>
      <ul class="doors">
        {stanzas.map((stanza) => (
          <Card key={stanza.name} stanza={stanza} />
        ))}
      </ul>
      <Ways />
    </>
  )
}

function Card({ stanza: { name, summary, problem } }: { readonly stanza: Stanza }): JSX.Element {
  const open = () => {
    void knock(name)
    go({ name: 'door', stanza: name })
  }
  return (
    <li class="card stack">
      <div>
        <h2>
          <a class="plain-link" href={addressOf({ name: 'door', stanza: name })}>
            {name}
          </a>
        </h2>
        <p class="soft small">{summary}</p>
      </div>
      {problem === undefined ? (
        <button class="button first large" type="button" onClick={open}>
          Open <span class="hidden">{name}</span>
        </button>
      ) : (
        <Notice kind="warn" title="This stanza cannot be used.">
          {problem.detail}
        </Notice>
      )}
    </li>
  )
}

function Ways(): JSX.Element {
  return (
    <div class="row">
      <a class="button" href={addressOf({ name: 'import' })}>
        <Icon name="plus" /> Import a profile
      </a>
      <a class="button" href={addressOf({ name: 'new' })}>
        <Icon name="plus" /> New door
      </a>
      <a class="button plain" href={addressOf({ name: 'history' })}>
        History
      </a>
    </div>
  )
}
