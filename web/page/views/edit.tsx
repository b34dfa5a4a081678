/** A profile that is kept: its settings, and its end. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Notice } from '../../shared/notice.tsx'
import { keep, profiles, remove } from '../profiles.ts'
import { go } from '../where.ts'
import { ProfileForm } from './profile-form.tsx'

export function Edit({ id }: { readonly id: string }): JSX.Element {
  const asking = useSignal(false)
  const profile = profiles.value.find((it) => it.id === id)
  if (profile === undefined)
    return (
      <>
        <h1 tabIndex={-1}>No such door</h1>
        <Notice kind="bad" title="This device has no such profile. It may have been removed." />
      </>
    )
  return (
    <>
      <h1 tabIndex={-1}>Edit {profile.name}</h1>
      <ProfileForm
        profile={profile}
        word="Save"
        onDone={async (done) => {
          await keep(done, id)
          go({ name: 'door', id })
        }}
      />
      {asking.value ? (
        <div class="card stack">
          <p>
            Remove “{profile.name}” from this device? Its keys cannot be had back from here. The server goes on to
            accept them: tell your administrator if the device is lost.
          </p>
          <div class="row">
            <button
              class="button danger"
              type="button"
              onClick={async () => {
                await remove(id)
                go({ name: 'home' })
              }}
            >
              Remove it
            </button>
            <button class="button" type="button" onClick={() => (asking.value = false)}>
              Keep it
            </button>
          </div>
        </div>
      ) : (
        <button class="button plain danger-text" type="button" onClick={() => (asking.value = true)}>
          Remove this profile…
        </button>
      )}
    </>
  )
}
