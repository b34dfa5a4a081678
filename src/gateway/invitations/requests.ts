/** What is asked about invitations, read field by field (docs/GATEWAY.md § The interface). */
import { integer, list, mapped, printableAscii, type Read, type Reader, record, text } from '../../json-reader.ts'
import { MOST_SEALED, parseDeviceKey } from '../../packet/web-invitation.ts'
import { unixSeconds } from '../../units.ts'

/** Bodies of the visitors. */
export const MAX_CLAIM_BODY = 400
/** Bodies of the servers. */
export const MAX_SERVER_BODY = 20_000
/** Invitations that a server asks about at once. */
export const MOST_ASKED = 100
const LAST = 253_402_300_799

/** 32 bytes as hexadecimal digits. */
export const hex32: Reader<string> = mapped(text({ max: 64 }), (read) =>
  /^[0-9a-f]{64}$/.test(read) ? read : undefined,
)
export const deviceKey: Reader<string> = mapped(printableAscii({ max: 87 }), (read) =>
  parseDeviceKey(read) === undefined ? undefined : read,
)
export const moment = mapped(integer({ min: 1, max: LAST }), unixSeconds)
export const sealedProfile: Reader<string> = mapped(printableAscii({ max: MOST_SEALED }), (read) =>
  /^[A-Za-z0-9+/]{120,}$/.test(read) ? read : undefined,
)

/** `tag`: that of the claim, which the gateway cannot check. */
export const readClaim = record({ proof: hex32, device: deviceKey, tag: hex32 }, {})
export const readPoll = record({ proof: hex32, device: deviceKey }, {})

/** `key`: who registers an invitation chooses it, and shows it for everything else that concerns this one. */
const one = { id: hex32, key: hex32 }
export const readRegister = record({ ...one, until: moment }, {})
export const readAbout = record({ invitations: list(record(one, {}), { min: 0, max: MOST_ASKED }) }, {})
export const readDeliver = record({ ...one, device: deviceKey, sealed: sealedProfile }, {})
export const readCancel = record(one, {})

export type ClaimRequest = Read<typeof readClaim>
