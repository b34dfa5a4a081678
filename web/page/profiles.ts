/** The profiles that are open for use, and what happens at each door. */
import { signal } from '@preact/signals'
import { Session } from './knock/session.ts'
import type { KeptProfile, NewProfile } from './profile/kept.ts'
import * as vault from './vault/vault.ts'

export const profiles = signal<readonly KeptProfile[]>([])
const sessions = new Map<string, Session>()

export function sessionOf(id: string): Session {
  let session = sessions.get(id)
  if (session === undefined) {
    session = new Session()
    sessions.set(id, session)
  }
  return session
}

/** @returns whether the passphrase was the right one. */
export async function unlock(passphrase: string): Promise<boolean> {
  return show(await vault.unlock(passphrase))
}

export async function unlockByPasskey(): Promise<boolean> {
  return show(await vault.unlockByPasskey())
}

function show(found: readonly KeptProfile[] | undefined): boolean {
  if (found !== undefined) profiles.value = sorted(found)
  // Somebody waits for a door that may be there now.
  if (vault.invitations > 0) location.hash = '#/invite'
  return found !== undefined
}

/** Nothing that was unlocked stays, and nothing is sent any more. */
export function lock(): void {
  for (const session of sessions.values()) session.end()
  sessions.clear()
  profiles.value = []
  vault.lock()
}

/** Keeps a new profile, or another version of one. */
export async function keep(profile: NewProfile, id: string = newId()): Promise<KeptProfile> {
  const kept = { ...profile, id }
  await vault.saveProfile(kept)
  profiles.value = sorted([...profiles.value.filter((it) => it.id !== id), kept])
  return kept
}

export async function remove(id: string): Promise<void> {
  await vault.deleteProfile(id)
  sessions.get(id)?.end()
  sessions.delete(id)
  profiles.value = profiles.value.filter((it) => it.id !== id)
}

function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function sorted(list: readonly KeptProfile[]): readonly KeptProfile[] {
  return [...list].sort((a, b) => a.name.localeCompare(b.name))
}

/** Where this page came from, if that may be a gateway. */
export function ownOrigin(): string | undefined {
  return /^https?:$/.test(location.protocol) ? location.origin : undefined
}
