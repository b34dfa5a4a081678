/** The profiles that are open for use, and what happens at each door. */
import { signal } from '@preact/signals'
import { Session } from './knock/session.ts'
import type { KeptProfile, NewProfile } from './profile/kept.ts'

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

export async function keep(profile: NewProfile, id: string = crypto.randomUUID()): Promise<KeptProfile> {
  const kept = { ...profile, id }
  profiles.value = [...profiles.value.filter((it) => it.id !== id), kept].sort((a, b) => a.name.localeCompare(b.name))
  return kept
}

export async function remove(id: string): Promise<void> {
  profiles.value = profiles.value.filter((it) => it.id !== id)
  sessions.delete(id)
}

/** Nothing that was unlocked stays. */
export function forget(): void {
  profiles.value = []
  sessions.clear()
}

/** Where this page came from, if that may be a gateway. */
export function ownOrigin(): string | undefined {
  return /^https?:$/.test(location.protocol) ? new URL('.', location.href).href.replace(/\/+$/, '') : undefined
}

/** The services that say what the address of this device is. */
export function echoPoints({ gateways, echoes }: Pick<KeptProfile, 'gateways' | 'echoes'>): readonly string[] {
  return [...new Set([...gateways, ...echoes])]
}
