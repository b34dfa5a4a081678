/** An invitation. What it shows is a part that is loaded here. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { invitationLink } from '../invited.ts'
import { loadInvitation } from '../parts.ts'
import { readText } from '../profile/read.ts'
import { keep } from '../profiles.ts'
import { deleteProfile, INVITATION, readInvitations, saveInvitation } from '../vault/vault.ts'
import { go } from '../where.ts'

export function Invite(): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    let [hide, isGone] = [() => {}, false]
    void loadInvitation().then(({ show }) => {
      if (box.current === null || isGone) return
      hide = show(box.current, {
        link: invitationLink.peek(),
        read: readInvitations,
        save: saveInvitation,
        remove: (id) => deleteProfile(INVITATION + id),
        take,
        forgetLink: () => (invitationLink.value = undefined),
      })
    })
    return () => {
      isGone = true
      hide()
    }
  }, [])
  return (
    <>
      <h1 tabIndex={-1}>Invitation</h1>
      <div ref={box} />
    </>
  )
}

async function take(text: string): Promise<boolean> {
  const found = readText(text)
  if (!found.ok || found.value.kind !== 'profile') return false
  const kept = await keep(found.value.profile)
  go({ name: 'door', id: kept.id })
  return true
}
