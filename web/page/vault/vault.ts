/**
 * The vault: profiles, each sealed under one random data key. The data key is sealed under the passphrase, and under
 * each passkey besides. While the vault is open, script can use the data key and not read it.
 */
import { signal } from '@preact/signals'
import { decodeText, encodeText } from '../../../src/bytes/text.ts'
import type { KeptProfile } from '../profile/kept.ts'
import * as database from './database.ts'
import { askPasskey, makePasskey } from './passkey.ts'
import { readKept } from './read-kept.ts'
import {
  importKey,
  KEY_BYTES,
  keyFromPassphrase,
  keyFromPrf,
  newDerivation,
  randomBytes,
  seal,
  unseal,
} from './sealed.ts'

export type VaultState =
  | { readonly kind: 'loading' }
  /** The browser cannot: why, as a sentence. */
  | { readonly kind: 'impossible'; readonly reason: 'no web crypto' | 'no storage' }
  /** `lost`: there was one here. */
  | { readonly kind: 'missing'; readonly lost: boolean }
  | { readonly kind: 'locked'; readonly hasPasskey: boolean }
  | { readonly kind: 'open' }

export const vault = signal<VaultState>({ kind: 'loading' })
export const idleMinutes = signal(5)
export const passkeys = signal(0)
/** How many invitations wait on this device, as it was unlocked. */
export let invitations = 0

const PASSPHRASE = 'ghostport vault 1 passphrase'
const PASSKEY = 'ghostport vault 1 passkey'
/** Ids of profiles have no colon. */
export const INVITATION = 'invitation:'
/** Outlives a cleared database where a browser clears only that. Holds nothing but itself. */
const MARK = 'ghostport-has-profiles'
export const SHORTEST_PASSPHRASE = 8

let record: database.VaultRecord | undefined
let dataKey: CryptoKey | undefined

/** At the start of the page. */
export async function openStore(): Promise<void> {
  if (crypto.subtle === undefined) {
    vault.value = { kind: 'impossible', reason: 'no web crypto' }
    return
  }
  try {
    record = await database.readVault()
  } catch {
    vault.value = { kind: 'impossible', reason: 'no storage' }
    return
  }
  publish()
}

function publish(): void {
  idleMinutes.value = record?.idleMinutes ?? 5
  passkeys.value = record?.passkeys.length ?? 0
  vault.value =
    record === undefined
      ? { kind: 'missing', lost: localStorage.getItem(MARK) !== null }
      : dataKey === undefined
        ? { kind: 'locked', hasPasskey: record.passkeys.length > 0 }
        : { kind: 'open' }
}

export async function createVault(passphrase: string): Promise<void> {
  const raw = randomBytes(KEY_BYTES)
  const derivation = newDerivation()
  const sealed = await seal(await keyFromPassphrase(passphrase, derivation), raw, PASSPHRASE)
  record = { version: 1, passphrase: { ...derivation, ...sealed }, passkeys: [], idleMinutes: 5 }
  await database.removeEverything()
  await database.writeVault(record)
  dataKey = await importKey(raw)
  localStorage.setItem(MARK, 'yes')
  // The browser then clears it only when its user asks. Some ask the user first; a refusal changes nothing here.
  void navigator.storage?.persist?.()
  publish()
}

/** @returns the profiles; undefined for another passphrase. */
export async function unlock(passphrase: string): Promise<readonly KeptProfile[] | undefined> {
  const raw = await rawKey(passphrase)
  return raw === undefined ? undefined : await openWith(raw)
}

/** @returns the profiles; undefined where no passkey opened it: cancelled, of another device, without PRF. */
export async function unlockByPasskey(): Promise<readonly KeptProfile[] | undefined> {
  if (record === undefined) return undefined
  const answer = await askPasskey(record.passkeys)
  if (answer === undefined) return undefined
  const raw = await unseal(await keyFromPrf(answer.output), answer.record, PASSKEY)
  return raw === undefined ? undefined : await openWith(raw)
}

async function openWith(raw: Uint8Array<ArrayBuffer>): Promise<readonly KeptProfile[]> {
  dataKey = await importKey(raw)
  const kept = (await readAll()).flatMap(({ text }) => readKept(text) ?? [])
  publish()
  return kept
}

/** What is sealed here, with its id. Counts the invitations. */
async function readAll(): Promise<readonly { readonly id: string; readonly text: string }[]> {
  const all: { readonly id: string; readonly text: string }[] = []
  for (const sealed of await database.readProfiles()) {
    const { id } = sealed
    const bytes = dataKey === undefined ? undefined : await unseal(dataKey, sealed, about(id))
    if (bytes !== undefined) all.push({ id, text: decodeText(bytes) ?? '' })
  }
  invitations = all.filter(isInvitation).length
  return all
}

function isInvitation({ id }: { readonly id: string }): boolean {
  return id.startsWith(INVITATION)
}

export function lock(): void {
  dataKey = undefined
  publish()
}

export async function saveProfile(profile: KeptProfile): Promise<void> {
  await save(profile.id, JSON.stringify(profile))
}

/** What is kept of an invitation is as secret as a profile, and sealed in the same way. */
export async function saveInvitation(id: string, text: string): Promise<void> {
  await save(INVITATION + id, text)
}

async function save(id: string, text: string): Promise<void> {
  if (dataKey === undefined) throw new Error('the vault is locked')
  const bytes = Uint8Array.from(encodeText(text))
  const sealed = await seal(dataKey, bytes, about(id))
  bytes.fill(0)
  await database.writeProfile({ id, ...sealed })
}

export async function readInvitations(): Promise<readonly string[]> {
  return (await readAll()).filter(isInvitation).map(({ text }) => text)
}

export async function deleteProfile(id: string): Promise<void> {
  await database.removeProfile(id)
}

/** Forgets all of it, for ever. */
export async function destroyVault(): Promise<void> {
  await database.removeEverything()
  localStorage.removeItem(MARK)
  record = undefined
  dataKey = undefined
  publish()
}

/** @returns whether `old` was the passphrase. */
export async function changePassphrase(old: string, passphrase: string): Promise<boolean> {
  const raw = await rawKey(old)
  if (raw === undefined || record === undefined) return false
  const derivation = newDerivation()
  const sealed = await seal(await keyFromPassphrase(passphrase, derivation), raw, PASSPHRASE)
  raw.fill(0)
  await change({ ...record, passphrase: { ...derivation, ...sealed } })
  return true
}

export type PasskeyOutcome = 'added' | 'wrong passphrase' | 'cancelled' | 'no prf'

/** The passphrase again: the open vault does not give its data key out. */
export async function addPasskey(passphrase: string): Promise<PasskeyOutcome> {
  const raw = await rawKey(passphrase)
  if (raw === undefined || record === undefined) return 'wrong passphrase'
  const made = await makePasskey()
  if (made === 'cancelled' || made === 'no prf') return made
  const sealed = await seal(await keyFromPrf(made.output), raw, PASSKEY)
  raw.fill(0)
  await change({ ...record, passkeys: [...record.passkeys, { ...made.record, ...sealed }] })
  return 'added'
}

export async function removePasskeys(): Promise<void> {
  if (record !== undefined) await change({ ...record, passkeys: [] })
}

export async function setIdleMinutes(minutes: number): Promise<void> {
  if (record !== undefined) await change({ ...record, idleMinutes: minutes })
}

async function change(next: database.VaultRecord): Promise<void> {
  await database.writeVault(next)
  record = next
  publish()
}

async function rawKey(passphrase: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (record === undefined) return undefined
  return await unseal(await keyFromPassphrase(passphrase, record.passphrase), record.passphrase, PASSPHRASE)
}

function about(id: string): string {
  return `ghostport profile 1 ${id}`
}
