/** What the browser keeps for this page: IndexedDB, as promises. Everything in it that is secret is sealed. */
import type { Derivation, SealedBytes } from './sealed.ts'

/** How the data key can be had again. */
export interface VaultRecord {
  readonly version: 1
  readonly passphrase: Derivation & SealedBytes
  readonly passkeys: readonly (PasskeyRecord & SealedBytes)[]
  /** Minutes without a touch or a key until it locks. */
  readonly idleMinutes: number
}

export interface PasskeyRecord {
  readonly credential: Uint8Array<ArrayBuffer>
  readonly salt: Uint8Array<ArrayBuffer>
  /** Unix seconds. */
  readonly made: number
}

export interface SealedProfile extends SealedBytes {
  readonly id: string
}

const NAME = 'ghostport'
const VAULT = 'vault'
const PROFILES = 'profiles'
const ONLY = 'only'

let opened: Promise<IDBDatabase> | undefined

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore(VAULT)
      request.result.createObjectStore(PROFILES, { keyPath: 'id' })
    }
    request.onsuccess = () => {
      // Another tab wants to remove it.
      request.result.onversionchange = () => request.result.close()
      resolve(request.result)
    }
    request.onerror = () => reject(request.error)
  })
  return opened
}

export async function readVault(): Promise<VaultRecord | undefined> {
  return await use(VAULT, 'readonly', (store) => store.get(ONLY))
}

export async function writeVault(record: VaultRecord): Promise<void> {
  await use(VAULT, 'readwrite', (store) => store.put(record, ONLY))
}

export async function readProfiles(): Promise<readonly SealedProfile[]> {
  return await use(PROFILES, 'readonly', (store) => store.getAll())
}

export async function writeProfile(profile: SealedProfile): Promise<void> {
  await use(PROFILES, 'readwrite', (store) => store.put(profile))
}

export async function removeProfile(id: string): Promise<void> {
  await use(PROFILES, 'readwrite', (store) => store.delete(id))
}

export async function removeEverything(): Promise<void> {
  await use(PROFILES, 'readwrite', (store) => store.clear())
  await use(VAULT, 'readwrite', (store) => store.clear())
}

/** Resolves when it is on the disk, not before: what was said to be kept is kept. */
async function use<T>(
  name: string,
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const transaction = (await database()).transaction(name, mode, { durability: 'strict' })
  const request = ask(transaction.objectStore(name))
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    transaction.onerror = () => reject(transaction.error)
  })
  return request.result
}
