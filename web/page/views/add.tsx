/** A profile: scanned, from a picture, pasted, or from a file. Then what it opens, before it is kept. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { Icon } from '../../shared/icons.tsx'
import { Notice } from '../../shared/notice.tsx'
import { PasteForm } from '../../shared/paste-form.tsx'
import { Tabs } from '../../shared/tabs.tsx'
import { invitationLink, isLink } from '../invited.ts'
import type { RcStanza } from '../parts/rc-reader.ts'
import { loadRcReader } from '../parts.ts'
import { type NewProfile, newProfile } from '../profile/kept.ts'
import { type Found, MOST_CHARACTERS, readText } from '../profile/read.ts'
import { keep } from '../profiles.ts'
import { Camera } from '../scan/camera.tsx'
import { codeInPicture } from '../scan/picture.ts'
import { isExport } from '../vault/export-kind.ts'
import { go } from '../where.ts'
import { ProfileForm } from './profile-form.tsx'

type Way = 'camera' | 'paste' | 'file'
const WAYS = [
  ['camera', 'Camera'],
  ['paste', 'Paste'],
  ['file', 'Picture or file'],
] as const

export function Add(): JSX.Element {
  const way = useSignal<Way>('paste')
  const wrong = useSignal<string | undefined>(undefined)
  const found = useSignal<NewProfile | undefined>(undefined)
  const stanzas = useSignal<readonly RcStanza[]>([])
  /** Whether all of them are whole, so that they can be added at once. */
  const areWhole = useSignal(false)
  const exported = useSignal<string | undefined>(undefined)

  const take = async (text: string) => {
    wrong.value = undefined
    if (isLink(text)) {
      invitationLink.value = text
      go({ name: 'invite' })
      return
    }
    if (isExport(text)) {
      exported.value = text
      return
    }
    const read = readText(text)
    if (read.ok) await takeFound(read.value)
    else wrong.value = read.failure.detail
  }
  const takeFound = async (it: Found) => {
    if (it.kind === 'profile') found.value = it.profile
    if (it.kind === 'keys') found.value = newProfile('', it.settings)
    if (it.kind !== 'rc' && it.kind !== 'fleet' && it.kind !== 'access') return
    const { readFleet, readRc, readAccess } = await loadRcReader()
    areWhole.value = it.kind === 'fleet'
    const readers = { fleet: readFleet, rc: readRc, access: readAccess }
    const read = readers[it.kind](it.text)
    if (!read.ok) {
      const line = read.failure.at === undefined ? '' : `line ${read.failure.at.line}: `
      wrong.value = `${line}${read.failure.detail}`
    } else if (read.value.length === 1 && read.value[0] !== undefined) found.value = fromStanza(read.value[0])
    else stanzas.value = read.value
  }

  if (found.value !== undefined) {
    const profile = found.value
    return (
      <>
        <h1 tabIndex={-1}>Is this right?</h1>
        <ProfileForm
          profile={profile}
          word="Add this profile"
          onDone={async (done) => {
            const kept = await keep(done)
            go({ name: 'door', id: kept.id })
          }}
        />
      </>
    )
  }
  if (exported.value !== undefined) return <Import text={exported.value} />
  if (stanzas.value.length > 0)
    return (
      <>
        <h1 tabIndex={-1}>Which one?</h1>
        <ul class="stack tight">
          {stanzas.value.map((stanza) => (
            <li key={stanza.name}>
              <button class="button wide" type="button" onClick={() => (found.value = fromStanza(stanza))}>
                {stanza.name}
              </button>
            </li>
          ))}
        </ul>
        {areWhole.value && (
          <button class="button first" type="button" onClick={() => void keepAll(stanzas.value)}>
            Add all {stanzas.value.length} profiles
          </button>
        )}
      </>
    )
  return (
    <>
      <h1 tabIndex={-1}>Add a profile</h1>
      <Tabs
        label="Where the profile is"
        tabs={WAYS}
        shown={way.value}
        onShow={(next) => {
          way.value = next
          wrong.value = undefined
        }}
      >
        {way.value === 'camera' && <Camera onCode={take} />}
        {way.value === 'paste' && <Paste onText={take} />}
        {way.value === 'file' && <FromFile onText={take} onWrong={(text) => (wrong.value = text)} />}
      </Tabs>
      <div role="alert">
        {wrong.value !== undefined && (
          <Notice kind="bad" title="This is not a profile.">
            {wrong.value}
          </Notice>
        )}
      </div>
      <p class="soft small">A profile never holds a command for this device.</p>
    </>
  )
}

function fromStanza({ name, settings, made, until }: RcStanza): NewProfile {
  return newProfile(name === 'default' ? '' : name, settings, made, until)
}

async function keepAll(stanzas: readonly RcStanza[]): Promise<void> {
  for (const stanza of stanzas) await keep(fromStanza(stanza))
  go({ name: 'home' })
}

function Paste({ onText }: { readonly onText: (text: string) => void }): JSX.Element {
  const text = useSignal('')
  return (
    <PasteForm
      text={text.value}
      hint="ghostport://profile…, the link of an invitation, a .fwknoprc or an access.conf"
      onInput={(value) => (text.value = value)}
      onText={onText}
    />
  )
}

function FromFile(props: {
  readonly onText: (text: string) => void
  readonly onWrong: (text: string) => void
}): JSX.Element {
  const read = async (file: File | undefined) => {
    if (file === undefined) return
    if (file.type.startsWith('image/')) {
      const code = await codeInPicture(file)
      if (code === undefined) props.onWrong('No QR code was found in this picture. Is the whole code in it, and sharp?')
      else props.onText(code)
    } else if (file.size > MOST_CHARACTERS * 8) props.onWrong('This file is too large for a profile.')
    else props.onText(await file.text())
  }
  return (
    <div class="card stack">
      <label class="button first" for="profile-file">
        <Icon name="plus" /> Choose a picture or a file
      </label>
      <input
        id="profile-file"
        class="hidden"
        type="file"
        onChange={(event) => {
          void read(event.currentTarget.files?.[0])
          event.currentTarget.value = ''
        }}
      />
      <p class="soft">
        A picture of a QR code, the file of “ghostport user add --profile-file”, a .fwknoprc, or the export of this
        page. It stays on this device.
      </p>
    </div>
  )
}

function Import({ text }: { readonly text: string }): JSX.Element {
  const passphrase = useSignal('')
  const wrong = useSignal<string | undefined>(undefined)
  const busy = useSignal(false)
  const open = async (event: Event) => {
    event.preventDefault()
    busy.value = true
    const { importProfiles } = await loadRcReader()
    const read = await importProfiles(text, passphrase.value)
    if (read.ok) {
      for (const { id, ...profile } of read.value) await keep(profile, id)
      go({ name: 'home' })
    } else wrong.value = read.failure.detail
    busy.value = false
  }
  return (
    <>
      <h1 tabIndex={-1}>Import profiles</h1>
      <form class="card stack" onSubmit={open}>
        <Field
          id="import-passphrase"
          label="Passphrase of the export"
          type="password"
          value={passphrase.value}
          onInput={(value) => (passphrase.value = value)}
          wrong={wrong.value}
        />
        <button class="button first" type="submit" disabled={busy.value}>
          {busy.value ? 'One moment…' : 'Import'}
        </button>
      </form>
    </>
  )
}
