/** A new stanza, or one that is there. Keys that are there are kept unless new ones are typed. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Choice, Field } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { call, type Failed } from '../api.ts'
import { change, look, type Setting, stanzaOf } from '../state.ts'
import { go } from '../where.ts'

const TEXTS = [
  ['SPA_SERVER', 'Server', 'A name or an address'],
  ['ACCESS', 'Ports to open', 'tcp/22, or several: tcp/22,udp/53'],
  ['ALLOW_IP', 'For which address', '“source”: the one that the packet comes from; “resolve”: ask others for it'],
  ['FW_TIMEOUT', 'For how many seconds', 'The server may allow less'],
] as const
/** For fewer doors: folded, unless one is set. */
const MORE = [
  ['SPA_SERVER_PORT', 'Port for packets', 'Default 62201'],
  ['GATEWAY', 'Gateway', 'https://gate.example: for packets sent by HTTPS; several with commas between them'],
  ['GATEWAY_TARGET', 'The server’s name there', 'As the gateway lists it'],
  ['NAT_ACCESS', 'Host behind the server', 'HOST:PORT'],
  ['NAT_PORT', 'Public port', 'With a host behind the server, or a ghost service'],
] as const
const CHOICES = [
  [
    'SPA_SERVER_PROTO',
    'How packets are sent',
    [
      ['', 'UDP'],
      ['tcp', 'TCP'],
      ['http', 'HTTP'],
      ['https', 'HTTPS'],
    ],
  ],
  [
    'NAT_LOCAL',
    'Ghost service',
    [
      ['', 'No'],
      ['Y', 'Yes: behind the public port of the server itself'],
    ],
  ],
  [
    'ENCRYPTION_MODE',
    'Encryption',
    [
      ['', 'AES-256 (CBC)'],
      ['legacy', 'Legacy (fwknop before 2.5)'],
    ],
  ],
  [
    'HMAC_DIGEST_TYPE',
    'HMAC',
    [
      ['', 'SHA-256'],
      ['sha384', 'SHA-384'],
      ['sha512', 'SHA-512'],
      ['sha3_256', 'SHA3-256'],
      ['sha3_512', 'SHA3-512'],
    ],
  ],
] as const
const KEYS = [
  ['KEY', 'Encryption key'],
  ['HMAC_KEY', 'HMAC key'],
] as const
const SHOWN: ReadonlySet<string> = new Set([
  ...TEXTS.map(([name]) => name),
  ...MORE.map(([name]) => name),
  ...CHOICES.map(([name]) => name),
  ...KEYS.flatMap(([name]) => [name, `${name}_BASE64`]),
])

type Values = Record<string, string>

/** @param name undefined: a new one. */
export function Edit({ name }: { readonly name: string | undefined }): JSX.Element {
  const stanza = name === undefined ? undefined : stanzaOf(name)
  const settings = stanza?.settings ?? []
  const title = useSignal(name ?? '')
  const values = useSignal<Values>(name === undefined ? { ALLOW_IP: 'source' } : valuesOf(settings))
  const keys = useSignal<Values>({})
  const program = useSignal((stanza?.program ?? []).join('\n'))
  const failure = useSignal<Failed | undefined>(undefined)
  if (name !== undefined && stanza === undefined) return <Notice kind="bad" title="There is no such stanza." />
  const set = (to: Signal<Values>, setting: string, value: string) => (to.value = { ...to.value, [setting]: value })
  const save = async (event: Event) => {
    event.preventDefault()
    const changed = { ...changesOf(settings, values.value), ...keysOf(keys.value) }
    const list = Object.entries(changed).map(([setting, value]) => ({ name: setting, value }))
    const to = title.value.trim()
    const body =
      name === undefined
        ? { name: to, isNew: true, settings: list.filter(({ value }) => value !== null) }
        : { name, settings: list, ...(to !== name && { rename: to }) }
    failure.value = await change('/api/stanza', body)
    if (failure.value !== undefined) return
    const argv = program.value.split('\n').filter((word, i, all) => word !== '' || i < all.length - 1)
    if (argv.join('\n') !== (stanza?.program ?? []).join('\n')) {
      const answer = await call('/api/program', { name: to, argv })
      if (!answer.ok) {
        failure.value = answer.failure
        return
      }
      await look()
    }
    go({ name: 'door', stanza: to })
  }
  return (
    <>
      <h1 tabIndex={-1}>{name === undefined ? 'New door' : `Edit ${name}`}</h1>
      <form class="stack" onSubmit={save}>
        <section class="card stack">
          <Field id="name" label="Name" value={title.value} onInput={(it) => (title.value = it)} required />
          {TEXTS.map(([setting, label, hint]) => (
            <Field
              key={setting}
              id={setting}
              label={label}
              hint={hint}
              value={values.value[setting] ?? ''}
              onInput={(it) => set(values, setting, it)}
            />
          ))}
          {KEYS.map(([setting, label]) => (
            <Field
              key={setting}
              id={setting}
              label={label}
              type="password"
              hint={
                settings.some((it) => it.name.startsWith(setting) && it.secret === true)
                  ? 'There is one. Leave this empty to keep it.'
                  : 'In base64, as “ghostport keygen” prints it'
              }
              value={keys.value[setting] ?? ''}
              onInput={(it) => set(keys, setting, it)}
              mono
            />
          ))}
          <button class="button" type="button" onClick={() => (keys.value = newKeys())}>
            <Icon name="key" /> Make new keys
          </button>
          {keys.value['KEY'] !== undefined && (
            <p class="soft small">The server needs the same keys. “Export” shows its stanza, once this is saved.</p>
          )}
        </section>
        <details class="card" open={[...MORE, ...CHOICES].some(([setting]) => (values.value[setting] ?? '') !== '')}>
          <summary>Way, NAT and encryption</summary>
          <div class="stack">
            {MORE.map(([setting, label, hint]) => (
              <Field
                key={setting}
                id={setting}
                label={label}
                hint={hint}
                value={values.value[setting] ?? ''}
                onInput={(it) => set(values, setting, it)}
              />
            ))}
            {CHOICES.map(([setting, label, choices]) => (
              <Choice
                key={setting}
                id={setting}
                label={label}
                choices={withCurrent(choices, values.value[setting] ?? '')}
                value={values.value[setting] ?? ''}
                onChange={(it) => set(values, setting, it)}
              />
            ))}
          </div>
        </details>
        <Others settings={settings} values={values} />
        <section class="card stack">
          <Field
            id="program"
            label="Program to run when the port is open"
            hint="One word a line, the program first. {address} and {port} are those of the open port. No shell sees it."
            rows={4}
            mono
            value={program.value}
            onInput={(it) => (program.value = it)}
          />
        </section>
        <div role="alert">
          {failure.value !== undefined && (
            <Notice kind="bad" title={failure.value.sentence}>
              {failure.value.detail}
              {failure.value.suggestion !== null && <> Perhaps: {failure.value.suggestion}</>}
            </Notice>
          )}
        </div>
        <button class="button first" type="submit">
          Save
        </button>
      </form>
      {name !== undefined && <Remove name={name} onFailure={(it) => (failure.value = it)} />}
    </>
  )
}

/** Settings without a field of their own. Those that name programs and files are changed in the file alone. */
function Others({
  settings,
  values,
}: {
  readonly settings: readonly Setting[]
  readonly values: Signal<Values>
}): JSX.Element | null {
  const others = settings.filter((it) => !SHOWN.has(it.name))
  if (others.length === 0) return null
  return (
    <details class="card">
      <summary>Other settings</summary>
      <div class="stack">
        {others.map((it) =>
          it.secret === true ? (
            <p key={it.name} class="soft">
              {it.name}: kept as it is
            </p>
          ) : (
            <Field
              key={it.name}
              id={it.name}
              label={it.name}
              value={values.value[it.name] ?? ''}
              onInput={(value) => (values.value = { ...values.value, [it.name]: value })}
              mono
            />
          ),
        )}
      </div>
    </details>
  )
}

function Remove({
  name,
  onFailure,
}: {
  readonly name: string
  readonly onFailure: (failure: Failed) => void
}): JSX.Element {
  const asks = useSignal(false)
  const remove = async () => {
    const failure = await change('/api/remove', { name })
    if (failure === undefined) go({ name: 'home' })
    else onFailure(failure)
  }
  if (!asks.value)
    return (
      <button class="button danger" type="button" onClick={() => (asks.value = true)}>
        Remove this door
      </button>
    )
  return (
    <Notice kind="warn" title={`Remove ${name}? Its keys are lost then.`}>
      <div class="row">
        <button class="button danger" type="button" onClick={remove}>
          Remove it
        </button>
        <button class="button" type="button" onClick={() => (asks.value = false)}>
          Keep it
        </button>
      </div>
    </Notice>
  )
}

function valuesOf(settings: readonly Setting[]): Values {
  return Object.fromEntries(settings.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])))
}

/** Null: it is to go. */
function changesOf(settings: readonly Setting[], values: Values): Record<string, string | null> {
  const before = valuesOf(settings)
  const changed: Record<string, string | null> = {}
  for (const [name, value] of Object.entries(values)) {
    const trimmed = value.trim()
    if (trimmed === (before[name] ?? '')) continue
    changed[name] = trimmed === '' ? null : trimmed
  }
  return changed
}

function keysOf(keys: Values): Record<string, string> {
  const typed = Object.entries(keys).filter(([, value]) => value.trim() !== '')
  return Object.fromEntries(typed.map(([name, value]) => [`${name}_BASE64`, value.trim()]))
}

/** Of the lengths that “ghostport keygen” makes. */
function newKeys(): Values {
  const random = (bytes: number) => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))))
  return { KEY: random(32), HMAC_KEY: random(64) }
}

/** What the file says may be none of the choices, or another spelling of one. */
function withCurrent(
  choices: readonly (readonly [string, string])[],
  value: string,
): readonly (readonly [string, string])[] {
  return choices.some(([key]) => key === value) ? choices : [...choices, [value, value]]
}
