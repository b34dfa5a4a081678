/** What a new user may open: the same fields for a profile and for an invitation. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import type { Failed } from '../api.ts'
import { typedInto } from './bound.ts'
import { Failure } from './failure.tsx'
import { keptServer, ServerField, useServer } from './server-field.tsx'

export interface Wishes {
  readonly name: string
  readonly open: string
  readonly server: string
  readonly source?: string
  readonly expire?: string
  readonly time?: string
  readonly for?: string
  readonly gateway?: string
  readonly gatewayTarget?: string
  readonly gatewayFingerprint?: string
}

export function UserForm(props: {
  readonly kind: 'profile' | 'invitation'
  readonly submit: string
  /** @returns what is wrong; undefined: it was made. */
  readonly onSubmit: (wishes: Wishes) => Promise<Failed | undefined>
}): JSX.Element {
  const name = useSignal('')
  const open = useSignal('tcp/22')
  const server = useServer()
  const source = useSignal('')
  const expire = useSignal('')
  const time = useSignal('')
  const span = useSignal('')
  const gateway = useSignal('')
  const gatewayTarget = useSignal('')
  const gatewayFingerprint = useSignal('')
  const failure = useSignal<Failed | undefined>(undefined)
  const isBusy = useSignal(false)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (isBusy.value) return
    isBusy.value = true
    const given = { source, expire, time, for: span, gateway, gatewayTarget, gatewayFingerprint }
    const more = Object.entries(given).flatMap(([key, { value }]) => (value.trim() === '' ? [] : [[key, value.trim()]]))
    failure.value = await props.onSubmit({
      ...{ name: name.value.trim(), open: open.value.trim(), server: keptServer(server) },
      ...Object.fromEntries(more),
    })
    isBusy.value = false
  }
  return (
    <form class="card stack" onSubmit={submit}>
      <Field
        id="user-name"
        label="Name"
        hint="One for each device, such as ada-phone. Letters, digits, and . _ - @"
        {...typedInto(name)}
        required
      />
      <Field
        id="user-open"
        label="May open"
        hint="Ports, separated by commas: tcp/22,udp/51820"
        {...typedInto(open)}
        mono
        required
      />
      <ServerField id="user-server" server={server} />
      {props.kind === 'invitation' && (
        <>
          <Field
            id="user-gateway"
            label="Through a gateway"
            hint="Its address, such as https://gate.example.org. Empty: the link is used on the server itself"
            {...typedInto(gateway)}
            mono
          />
          <Field
            id="user-gateway-target"
            label="Name of this server there"
            hint="Its TARGET in gateway.conf"
            {...typedInto(gatewayTarget)}
          />
        </>
      )}
      <details>
        <summary>More</summary>
        <div class="stack">
          <Field
            id="user-source"
            label="Only from"
            hint="An address or a network, such as 192.0.2.0/24. Empty: from anywhere"
            {...typedInto(source)}
            mono
          />
          <Field
            id="user-expire"
            label="The user ends after"
            hint="Such as 30d or 12h. Empty: never"
            {...typedInto(expire)}
          />
          {props.kind === 'profile' && (
            <Field
              id="user-time"
              label="A grant lasts"
              hint="Such as 10m. Empty: as the server says"
              {...typedInto(time)}
            />
          )}
          {props.kind === 'invitation' && (
            <>
              <Field
                id="user-for"
                label="The invitation is good for"
                hint="Such as 30m. Empty: 15 minutes"
                {...typedInto(span)}
              />
              <Field
                id="user-gateway-fingerprint"
                label="Fingerprint of the gateway"
                hint="Of a certificate that signs itself; the gateway prints it at its start"
                {...typedInto(gatewayFingerprint)}
                mono
              />
            </>
          )}
        </div>
      </details>
      <Failure failure={failure.value} />
      <button class="button first" type="submit" aria-disabled={isBusy.value}>
        {props.submit}
      </button>
    </form>
  )
}
