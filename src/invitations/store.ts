/**
 * Invitations that a server keeps: one small file each, in a folder of root. `ID.open` waits, and has the sealed
 * profile. To claim it is to give it the name `ID.used`: the kernel does that once, however many ask at once. The new
 * name is on disk before the profile is handed out, so a crash may lose an invitation, and never gives it twice.
 */
import { readdirSync, renameSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { parseStanzaName, type StanzaName, sameNameKey } from '../access/stanza-name.ts'
import { integer, literal, mapped, parsed, type RecordOf, record, text } from '../json-reader.ts'
import { bytesOfHex, hexOf, type InvitationSecret } from '../packet/invitation-secret.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { errorCode, fileReason } from '../system/errno.ts'
import { prepareServerFile, readServerFile, replaceServerFile, syncFolder } from '../system/server-file.ts'
import { systemPath } from '../system/system-path.ts'
import { type UnixSeconds, unixSeconds } from '../units.ts'
import { proofHash, type Sealed, unseal } from './secret.ts'

export type StoreFailure = Failure<
  | 'INVITATION_ENDED'
  | 'INVITATION_INVALID'
  | 'INVITATIONS_FULL'
  | 'CONFIG_EXPOSED'
  | 'CONFIG_UNREADABLE'
  | 'CONFIG_UNWRITABLE'
>

export interface Invitation {
  readonly user: StanzaName
  readonly made: UnixSeconds
  readonly until: UnixSeconds
  /** `ended`: nobody used it in time. */
  readonly state: 'open' | 'used' | 'ended'
  /** Where it is claimed through a gateway: the gateway knows more. */
  readonly gateway?: GatewayInvitation
}

/** How many may wait at once. */
export const MOST_OPEN = 100
const MOST_BYTES = 8192
/** How long one is listed after its end, in seconds. */
const KEPT = 30 * 86_400
const LAST = 253_402_300_799

const time = mapped(integer({ min: 1, max: LAST }), unixSeconds)
const fields = {
  version: literal('1'),
  user: parsed(parseStanzaName),
  made: time,
  until: time,
  /** The hash of the proof. */
  proof: mapped(text({ max: 64 }), (read) => (/^[0-9a-f]{64}$/.test(read) ? read : undefined)),
}
const hex = mapped(text({ max: 64 }), (read) => (/^[0-9a-f]{64}$/.test(read) ? read : undefined))
const bytes32 = mapped(hex, bytesOfHex)
/** An invitation that is claimed through a gateway. */
const atGateway = record(
  {
    /** `https://gate.example.org`. */
    url: text({ max: 300 }),
    /** Its name there; and the key that shows the gateway that it is this server’s. */
    id: hex,
    key: hex,
  },
  {
    /** SHA-256 of the certificate of the gateway. */
    fingerprint: text({ max: 100 }),
    /** Until it is confirmed: what judges a claim, and what seals the profile (docs/WIRE.md § 19). */
    claim: bytes32,
    seal: bytes32,
    profile: text({ max: 2000 }),
  },
)
const more = { sealed: text({ max: 4000 }), gateway: atGateway }
const readStored = record(fields, more)
type Stored = RecordOf<typeof fields, typeof more>
/** What this server keeps of an invitation at a gateway. */
export type GatewayInvitation = NonNullable<Stored['gateway']>

/** @returns how to take it back, for a caller whose next step fails. */
export function addInvitation(
  folder: string,
  secret: InvitationSecret,
  { user, made, sealed }: { readonly user: StanzaName; readonly made: UnixSeconds; readonly sealed: Sealed },
): Result<{ readonly takeBack: () => void }, StoreFailure> {
  const { until, data } = sealed
  return put(folder, { version: '1', user, made, until, proof: proofHash(secret), sealed: data })
}

/** The same for one at a gateway. It holds the profile as it is: only root reads it, as access.conf. */
export function addGatewayInvitation(
  folder: string,
  gateway: GatewayInvitation,
  { user, made, until }: Pick<Invitation, 'user' | 'made' | 'until'>,
): Result<{ readonly takeBack: () => void }, StoreFailure> {
  return put(folder, { version: '1', user, made, until, proof: gateway.id, gateway })
}

function put(folder: string, stored: Stored): Result<{ readonly takeBack: () => void }, StoreFailure> {
  const { made, proof } = stored
  const all = readAll(folder, made)
  if (!all.ok) return all
  const open = all.value.filter(({ state }) => state === 'open')
  if (open.length >= MOST_OPEN)
    return refuse('INVITATIONS_FULL', `${open.length} invitations wait already`, {
      suggestion: 'ghostport invite list',
    })
  return attempt(folder, 'CONFIG_UNWRITABLE', () => {
    for (const { file, until } of all.value) if (until + KEPT <= made) unlinkSync(systemPath(file))
    const file = join(folder, `${idOf(proof)}.open`)
    const exposed = prepareServerFile(file)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    replaceServerFile(file, `${JSON.stringify(writable(stored))}\n`, 0o600)
    syncFolder(folder)
    return ok({ takeBack: () => tryUnlink(file) })
  })
}

/** Bytes as digits. */
function writable({ gateway, ...rest }: Stored): unknown {
  if (gateway === undefined) return rest
  const { claim, seal, ...plain } = gateway
  const keys = { ...(claim !== undefined && { claim: hexOf(claim) }), ...(seal !== undefined && { seal: hexOf(seal) }) }
  return { ...rest, gateway: { ...plain, ...keys } }
}

/**
 * The profile was delivered to the device of this invitation: from now on nothing here can seal it again.
 * @returns INVITATION_ENDED if it was cancelled meanwhile.
 */
export function finishGatewayInvitation(
  folder: string,
  { id }: Pick<GatewayInvitation, 'id'>,
): Result<void, StoreFailure> {
  const [open, used] = ['open', 'used'].map((state) => join(folder, `${idOf(id)}.${state}`)) as [string, string]
  const found = readOne(open)
  if (!found.ok) return found
  const { gateway } = found.value ?? {}
  if (found.value === undefined || gateway === undefined) return ended()
  const { claim, seal, profile, ...rest } = gateway
  return attempt(folder, 'CONFIG_UNWRITABLE', () => {
    replaceServerFile(open, `${JSON.stringify({ ...found.value, gateway: rest })}\n`, 0o600)
    renameSync(systemPath(open), systemPath(used))
    syncFolder(folder)
    return ok(undefined)
  })
}

/** @returns whose invitation it is that this secret claims now; INVITATION_ENDED if there is none. Changes nothing. */
export function findInvitation(
  folder: string,
  secret: InvitationSecret,
  now: UnixSeconds,
): Result<StanzaName, StoreFailure> {
  const found = findOpen(folder, secret, now)
  return found.ok ? ok(found.value.user) : found
}

function findOpen(folder: string, secret: InvitationSecret, now: UnixSeconds): Result<Stored, StoreFailure> {
  const proof = proofHash(secret)
  const found = readOne(join(folder, `${idOf(proof)}.open`))
  if (!found.ok) return found
  // The name has a part of the hash only. It is the hash of a random text: its time tells nothing.
  if (found.value === undefined || found.value.proof !== proof || found.value.until <= now) return ended()
  return found.value.sealed === undefined ? ended() : ok(found.value)
}

/**
 * Hands a profile out, once.
 * @returns INVITATION_ENDED if there is none for this secret: never made, used, ended or cancelled. A caller that
 * strangers ask must not tell these apart.
 */
export function claimInvitation(
  folder: string,
  secret: InvitationSecret,
  now: UnixSeconds,
): Result<{ readonly user: StanzaName; readonly text: string }, StoreFailure> {
  const id = idOf(proofHash(secret))
  const [open, used] = ['open', 'used'].map((state) => join(folder, `${id}.${state}`)) as [string, string]
  const found = findOpen(folder, secret, now)
  if (!found.ok) return found
  const { user, until, sealed: data = '' } = found.value
  const opened = unseal(secret, { until, data })
  if (!opened.ok) return opened
  return attempt(folder, 'CONFIG_UNWRITABLE', () => {
    try {
      renameSync(systemPath(open), systemPath(used))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return ended()
      throw error
    }
    syncFolder(folder)
    const { sealed, ...rest } = found.value
    try {
      replaceServerFile(used, `${JSON.stringify(rest)}\n`, 0o600)
    } catch {
      // As on a full disk. Nobody needs the sealed profile any more, and it stays as secret as it was. The claimer
      // does need it: there is no second time.
    }
    return ok({ user, text: opened.value })
  })
}

/** All that are known, the oldest first. */
export function listInvitations(folder: string, now: UnixSeconds): Result<readonly Invitation[], StoreFailure> {
  const all = readAll(folder, now)
  return all.ok ? ok(all.value.map(({ file, ...rest }) => rest)) : all
}

/** Takes back all that wait for this user. @returns how many. */
export function cancelInvitations(folder: string, user: StanzaName, now: UnixSeconds): Result<number, StoreFailure> {
  const all = readAll(folder, now)
  if (!all.ok) return all
  const its = all.value.filter((one) => one.state !== 'used' && sameNameKey(one.user) === sameNameKey(user))
  return attempt(folder, 'CONFIG_UNWRITABLE', () => {
    let removed = 0
    for (const { file } of its) if (tryUnlink(file)) removed++
    if (removed > 0) syncFolder(folder)
    return ok(removed)
  })
}

function idOf(proof: string): string {
  return proof.slice(0, 16)
}

function ended(): Refused<StoreFailure> {
  return refuse('INVITATION_ENDED', 'it was used already, it has ended, or it was cancelled')
}

function readAll(
  folder: string,
  now: UnixSeconds,
): Result<readonly (Invitation & { readonly file: string })[], StoreFailure> {
  let names: readonly string[]
  try {
    names = readdirSync(systemPath(folder))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return ok([])
    return refuse('CONFIG_UNREADABLE', `${folder}: ${fileReason(error)}`)
  }
  const all: (Invitation & { readonly file: string })[] = []
  for (const name of names) {
    const [, kind] = /^[0-9a-f]{16}\.(open|used)$/.exec(name) ?? []
    if (kind === undefined) continue
    const file = join(folder, name)
    const found = readOne(file)
    // Another process may have claimed or cancelled it meanwhile.
    if (!found.ok && found.failure.code === 'INVITATION_ENDED') continue
    if (!found.ok) return found
    if (found.value === undefined) continue
    const { user, made, until, gateway } = found.value
    const state = kind === 'used' ? 'used' : until <= now ? 'ended' : 'open'
    all.push({ file, user, made, until, state, ...(gateway !== undefined && { gateway }) })
  }
  return ok(all.sort((a, b) => a.made - b.made))
}

function readOne(file: string): Result<Stored | undefined, StoreFailure> {
  return attempt(file, 'CONFIG_UNREADABLE', () => {
    const read = readServerFile(file, MOST_BYTES)
    if (!read.ok) return read
    if (read.value === undefined) return ok(undefined)
    let value: unknown
    try {
      value = JSON.parse(read.value)
    } catch {
      value = undefined
    }
    const stored = readStored(value)
    return stored === undefined ? refuse('INVITATION_INVALID', `${file} is not an invitation: delete it`) : ok(stored)
  })
}

/** @param path for the message. */
function attempt<T>(
  path: string,
  code: 'CONFIG_UNREADABLE' | 'CONFIG_UNWRITABLE',
  act: () => Result<T, StoreFailure>,
): Result<T, StoreFailure> {
  try {
    return act()
  } catch (error) {
    // Claimed or cancelled by another process since it was found.
    if (code === 'CONFIG_UNREADABLE' && errorCode(error) === 'ENOENT') return ended()
    return refuse(code, `${path}: ${fileReason(error)}`)
  }
}

function tryUnlink(file: string): boolean {
  try {
    unlinkSync(systemPath(file))
    return true
  } catch {
    return false
  }
}
