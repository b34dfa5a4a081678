/** A profile from a line of text; then what it opens, before it is kept. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { Notice } from '../../shared/notice.tsx'
import { parseGatewayUrl, parseTarget } from '../profile/gateway-url.ts'
import { type NewProfile, settingsOf } from '../profile/kept.ts'
import { factsOf } from '../profile/opens.ts'
import { readText } from '../profile/read.ts'
import { keep, ownOrigin } from '../profiles.ts'
import { go } from '../where.ts'

export function Add(): JSX.Element {
  const text = useSignal('')
  const wrong = useSignal<string | undefined>(undefined)
  const found = useSignal<NewProfile | undefined>(undefined)
  if (found.value !== undefined) return <Preview profile={found.value} />
  const read = (event: Event) => {
    event.preventDefault()
    const result = readText(text.value)
    if (!result.ok) wrong.value = result.failure.detail
    else if (result.value.kind === 'profile') found.value = result.value.profile
  }
  return (
    <>
      <h1 tabIndex={-1}>Add a profile</h1>
      <form class="card stack" onSubmit={read}>
        <Field
          id="profile-text"
          label="The profile"
          hint="The line that begins with ghostport://profile"
          rows={5}
          mono
          value={text.value}
          onInput={(value) => {
            text.value = value
            wrong.value = undefined
          }}
          wrong={wrong.value}
        />
        <button class="button first" type="submit">
          Read it
        </button>
      </form>
    </>
  )
}

function Preview({ profile }: { readonly profile: NewProfile }): JSX.Element {
  const settings = settingsOf(profile.settings)
  const gateway = useSignal(profile.gateways[0] ?? ownOrigin() ?? '')
  const target = useSignal(profile.target)
  const wrong = useSignal<{ readonly gateway?: string; readonly target?: string }>({})
  if (!settings.ok) return <Notice kind="bad" title={settings.failure.detail} />
  const add = async (event: Event) => {
    event.preventDefault()
    const url = parseGatewayUrl(gateway.value)
    const name = parseTarget(target.value)
    wrong.value = { ...(!url.ok && { gateway: url.failure.detail }), ...(!name.ok && { target: name.failure.detail }) }
    if (!url.ok || !name.ok) return
    const kept = await keep({ ...profile, gateways: [url.value], target: name.value })
    go({ name: 'door', id: kept.id })
  }
  return (
    <>
      <h1 tabIndex={-1}>Is this right?</h1>
      <form class="card stack" onSubmit={add}>
        <h2>{profile.name}</h2>
        <dl class="facts">
          {factsOf(settings.value).map(({ name, value }) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        </dl>
        <Field
          id="gateway"
          label="Gateway"
          type="url"
          value={gateway.value}
          onInput={(it) => (gateway.value = it)}
          wrong={wrong.value.gateway}
        />
        <Field
          id="target"
          label="Name of the server at the gateway"
          value={target.value}
          onInput={(it) => (target.value = it)}
          wrong={wrong.value.target}
        />
        <button class="button first" type="submit">
          Add this profile
        </button>
      </form>
    </>
  )
}
