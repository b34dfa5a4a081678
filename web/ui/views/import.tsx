/** A profile from a line, a text, a file or a picture. Then what it opens, before it is added. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { clientHalves } from '../../../src/config/access/client-half.ts'
import type { RcChange } from '../../../src/config/client/edit-fwknoprc.ts'
import { writtenSettings } from '../../../src/config/client/edit-fwknoprc.ts'
import { isClientSetting } from '../../../src/config/client/fwknoprc-settings.ts'
import { parseFwknoprc } from '../../../src/config/client/parse-fwknoprc.ts'
import type { Failure } from '../../../src/result.ts'
import { settingsOf } from '../../page/profile/kept.ts'
import { factsOf } from '../../page/profile/opens.ts'
import { MOST_CHARACTERS, readText } from '../../page/profile/read.ts'
import { Camera } from '../../page/scan/camera.tsx'
import { codeInPicture } from '../../page/scan/picture.ts'
import { Field } from '../../shared/field.tsx'
import { Notice } from '../../shared/notice.tsx'
import { PasteForm } from '../../shared/paste-form.tsx'
import { Tabs } from '../../shared/tabs.tsx'
import { change, rc } from '../state.ts'
import { go } from '../where.ts'

type Way = 'paste' | 'file' | 'camera'
const WAYS = [
  ['paste', 'Paste'],
  ['file', 'Picture or file'],
  ['camera', 'Camera'],
] as const

interface Found {
  readonly name: string
  readonly settings: readonly RcChange[]
  /** Settings that are left out: they name programs or files. */
  readonly left: readonly string[]
}

export function Import(): JSX.Element {
  const text = useSignal('')
  const way = useSignal<Way>('paste')
  const show = (next: Way): void => {
    way.value = next
    wrong.value = undefined
  }
  const wrong = useSignal<string | undefined>(undefined)
  const found = useSignal<readonly Found[]>([])
  const chosen = useSignal<Found | undefined>(undefined)
  const read = (given: string): void => {
    const result = read_(given)
    wrong.value = 'wrong' in result ? result.wrong : undefined
    if ('wrong' in result) return
    found.value = result.found
    chosen.value = result.found.length === 1 ? result.found[0] : undefined
  }
  const fromFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    if (!file.type.startsWith('image/')) {
      if (file.size > MOST_CHARACTERS) wrong.value = 'the file is too large for a profile'
      else read(await file.text())
      return
    }
    const code = await codeInPicture(file)
    if (code === undefined) wrong.value = 'there is no QR code in this picture'
    else read(code)
  }
  if (chosen.value !== undefined) return <Preview found={chosen.value} />
  if (found.value.length > 1)
    return (
      <>
        <h1 tabIndex={-1}>Which one?</h1>
        <ul class="stack tight">
          {found.value.map((it) => (
            <li key={it.name}>
              <button class="button" type="button" onClick={() => (chosen.value = it)}>
                {it.name}
              </button>
            </li>
          ))}
        </ul>
      </>
    )
  return (
    <>
      <h1 tabIndex={-1}>Import a profile</h1>
      <Tabs label="Where the profile is" tabs={WAYS} shown={way.value} onShow={show}>
        {way.value === 'paste' && (
          <PasteForm
            text={text.value}
            hint="The line that begins with ghostport://profile, fwknop’s QR text, or the text of a .fwknoprc or an access.conf"
            onInput={(value) => {
              text.value = value
              wrong.value = undefined
            }}
            onText={read}
          />
        )}
        {way.value === 'file' && (
          <div class="card field">
            <label for="profile-file">A text, or a picture of the QR code</label>
            <input
              id="profile-file"
              class="input"
              type="file"
              onChange={(event) => void fromFile(event.currentTarget.files?.[0])}
            />
          </div>
        )}
        {way.value === 'camera' && <Camera onCode={read} />}
      </Tabs>
      <div role="alert">
        {wrong.value !== undefined && (
          <Notice kind="bad" title="This is not a profile.">
            {wrong.value}
          </Notice>
        )}
      </div>
    </>
  )
}

function Preview({ found }: { readonly found: Found }): JSX.Element {
  const has = (name: RcChange['name']) => found.settings.some((it) => it.name === name)
  const name = useSignal(found.name)
  const server = useSignal('')
  const access = useSignal('tcp/22')
  const wrong = useSignal<string | undefined>(undefined)
  const settings = settingsOf(found.settings)
  const add = async (event: Event) => {
    event.preventDefault()
    const typed = [
      ...(has('SPA_SERVER') ? [] : [{ name: 'SPA_SERVER', value: server.value.trim() }]),
      ...(has('ACCESS') ? [] : [{ name: 'ACCESS', value: access.value.trim() }]),
      ...(has('ALLOW_IP') || has('RESOLVE_IP_HTTPS') ? [] : [{ name: 'ALLOW_IP', value: 'source' }]),
    ]
    const stanza = name.value.trim()
    const failure = await change('/api/stanza', {
      ...{ name: stanza, isNew: true, settings: [...found.settings, ...typed] },
    })
    if (failure === undefined) go({ name: 'door', stanza })
    else wrong.value = failure.detail
  }
  return (
    <>
      <h1 tabIndex={-1}>Is this right?</h1>
      <form class="card stack" onSubmit={add}>
        {settings.ok ? (
          <dl class="facts">
            {factsOf(settings.value).map((fact) => (
              <>
                <dt>{fact.name}</dt>
                <dd>{fact.value}</dd>
              </>
            ))}
          </dl>
        ) : (
          <Notice kind="bad" title={settings.failure.detail} />
        )}
        {found.left.length > 0 && (
          <Notice kind="warn" title="Some settings are left out.">
            A profile may not name programs or files of this computer: {found.left.join(', ')}
          </Notice>
        )}
        <Field id="name" label="Name" value={name.value} onInput={(it) => (name.value = it)} required />
        {!has('SPA_SERVER') && (
          <Field id="server" label="Server" value={server.value} onInput={(it) => (server.value = it)} required />
        )}
        {!has('ACCESS') && (
          <Field
            id="access"
            label="Ports to open"
            value={access.value}
            onInput={(it) => (access.value = it)}
            required
          />
        )}
        <div role="alert">{wrong.value !== undefined && <Notice kind="bad" title={wrong.value} />}</div>
        <button class="button first" type="submit">
          Add this profile
        </button>
      </form>
      <p class="soft small">It is written into {rc.value?.file}.</p>
    </>
  )
}

function read_(text: string): { readonly found: readonly Found[] } | { readonly wrong: string } {
  const read = readText(text)
  if (!read.ok) return { wrong: read.failure.detail }
  switch (read.value.kind) {
    case 'profile': {
      const { name, settings } = read.value.profile
      return { found: [{ name, settings, left: [] }] }
    }
    case 'keys':
      return { found: [{ name: '', settings: read.value.settings, left: [] }] }
    case 'fleet':
      return { wrong: 'this is the profile of a fleet: run “ghostport client add”, which adds all its servers' }
    case 'rc': {
      const { text: written } = read.value
      const rc = parseFwknoprc('the text', written)
      if (!rc.ok) return { wrong: `${lineOf(rc.failure)}${rc.failure.detail}` }
      const found = [...new Set(rc.value.stanzas)].map((name) => fromStanza(name, written))
      return found.length === 0 ? { wrong: 'there is no stanza in this text' } : { found }
    }
    case 'access': {
      const halves = clientHalves(read.value.text)
      if (!halves.ok) return { wrong: `${lineOf(halves.failure)}${halves.failure.detail}` }
      return { found: halves.value.map((half) => ({ ...half, left: [] })) }
    }
    default:
      return read.value satisfies never
  }
}

function lineOf({ at }: Failure): string {
  return at === undefined ? '' : `line ${at.line}: `
}

function fromStanza(name: string, text: string): Found {
  const all = [
    ...new Map([...writtenSettings(text, 'default'), ...writtenSettings(text, name)].map((it) => [it.name, it])),
  ]
  const named = all.flatMap(([, { name: setting, value }]) =>
    isClientSetting(setting) ? [{ name: setting, value }] : [],
  )
  const ofHost = /_(?:FILE|EXE|CMD|HOMEDIR)$/
  return {
    name,
    settings: named.filter((it) => !ofHost.test(it.name)),
    left: named.filter((it) => ofHost.test(it.name)).map((it) => it.name),
  }
}
