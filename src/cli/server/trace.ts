/**
 * How the server judges a packet, or a request without one, step by step: for people who ask why. The same functions as
 * in the server find out each step; nothing is recorded, and nothing opens.
 */

import { checkAge } from '../../access/age.ts'
import { decide, examine, type Request } from '../../access/decide.ts'
import { gatewayRules } from '../../access/gateways.ts'
import { type GnupgReport, takesReport } from '../../access/gnupg-report.ts'
import { describeOpening } from '../../access/grant.ts'
import { type Keyring, runsCommands } from '../../access/keyring.ts'
import type { StanzaIndex } from '../../access/matching.ts'
import type { Policy } from '../../access/policy.ts'
import type { SignatureReport } from '../../access/signature.ts'
import type { GnupgEncryption, Stanza, StanzaId } from '../../access/stanza.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import type { Action, Verdict } from '../../access/verdict.ts'
import { formatCapturePort } from '../../config/server/spa-ports.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Decrypted, decrypt, decryptedByGnupg } from '../../packet/decrypt.ts'
import { type Envelope, parseEnvelope } from '../../packet/envelope.ts'
import type { Message } from '../../packet/message.ts'
import { authenticateGnupgPacket, authenticatePacket, type OpenedPacket, readPlaintext } from '../../packet/open.ts'
import { recipientsOf } from '../../packet/openpgp.ts'
import { formatProtocolPorts } from '../../packet/protocol-port.ts'
import { type Failure, type Result, refuse } from '../../result.ts'
import type { Port, UnixSeconds } from '../../units.ts'

/** One thing that was looked at. */
export interface Step {
  readonly what: string
  /** What was found, where it is good. */
  readonly found?: string
  readonly failure?: Failure
}

/** What one stanza says of the request. */
export interface StanzaTrace {
  readonly stanza: string
  readonly at: string
  readonly rules: readonly Step[]
}

export interface Trace {
  /** From the bytes to the message; empty for a request without a packet. */
  readonly steps: readonly Step[]
  readonly message?: Message
  /** What gpg reports of it. */
  readonly gnupg?: GnupgReport
  /** Each stanza that is asked, in that order. */
  readonly stanzas: readonly StanzaTrace[]
  /** As the server would give it. Absent if no key opens the packet. */
  readonly verdict?: {
    readonly granted: boolean
    readonly stanza?: string
    readonly what: string
    readonly code?: string
  }
}

/** Where a packet came from and went to, and what the server knows besides. */
export interface Arrival {
  /** Absent: the address that the packet names, if it names one. */
  readonly source?: IpAddress
  readonly destination?: IpAddress
  /** The port that it went to. Absent: nobody said. */
  readonly port?: Port
  readonly now: UnixSeconds
  readonly ownAddresses: ReadonlySet<IpAddress>
}

export interface Judged {
  readonly policy: Policy
  readonly index: StanzaIndex
  readonly gnupg?: RunGpg
}

/** A packet that gpg decrypted. */
export interface GpgOpened extends GnupgReport {
  readonly plaintext: Uint8Array
  /** How gpg was run. */
  readonly how: string
}

/** @returns GNUPG_FAILED, or why gpg does not decrypt it. */
export type RunGpg = (encryption: GnupgEncryption, message: Uint8Array) => Promise<Result<GpgOpened, Failure>>

/** @param payload as the packet arrives: the text alone, or an HTTP request. */
export async function tracePacket(payload: Uint8Array, judged: Judged, arrival: Arrival): Promise<Trace> {
  const envelope = parseEnvelope(payload, judged.policy)
  if (!envelope.ok) return { steps: [step('length and alphabet', envelope)], stanzas: [] }
  const steps: Step[] = [{ what: 'length and alphabet', found: `${envelope.value.wireLength} characters of base64` }]
  const opened = await tryKeys(envelope.value, judged, arrival, steps)
  if (opened === undefined) return { steps, stanzas: [] }
  const { packet, keyring, gnupg } = opened
  const { message } = packet
  const report = gnupg === undefined ? {} : { gnupg }
  const source = arrival.source ?? (message.source === 'packet-source' ? undefined : message.source)
  const gateway = source === undefined ? undefined : gatewayRules(judged.policy, source)
  const maxAge = gateway?.maxAge ?? judged.policy.maxAge
  const age = `made ${arrival.now - message.timestamp} s before`
  const setting = gateway === undefined ? 'MAX_SPA_PACKET_AGE' : 'GATEWAY_MAX_SPA_PACKET_AGE'
  steps.push(step(`age (${setting})`, checkAge(message.timestamp, maxAge, arrival.now), age))
  if (source === undefined) return { steps, message, ...report, stanzas: [] }
  const { forwardedFor } = envelope.value
  const candidates = judged.index.stanzasFor(keyring, source, arrival.port ?? 'any')
  const asked = candidates.length > 0 ? candidates : keyring.stanzas
  const request = { ...requestFor(message, source, arrival), ...report }
  return {
    ...{ steps, message, ...report },
    ...judge(asked, { ...request, ...(forwardedFor !== undefined && { forwardedFor }) }, judged.policy, arrival.now),
  }
}

/** A request as if a packet had been opened by the keys of these stanzas. */
export function traceRequest(
  message: Message,
  stanzas: readonly Stanza[],
  policy: Policy,
  arrival: Arrival & { readonly source: IpAddress },
): Trace {
  return { steps: [], message, ...judge(stanzas, requestFor(message, arrival.source, arrival), policy, arrival.now) }
}

function requestFor(message: Message, source: IpAddress, { destination, port, ownAddresses }: Arrival): Request {
  return {
    message,
    packetSource: source,
    ...(destination !== undefined && { packetDestination: destination }),
    ...(port !== undefined && { packetPort: port }),
    ownAddresses,
  }
}

/** Without a source, all keys are tried. */
function keyringsFor({ policy, index }: Judged, { source, port }: Arrival): readonly Keyring[] {
  return source === undefined
    ? [...new Set(policy.stanzas.flatMap((stanza) => index.keyringsOf(stanza)))]
    : index.keyringsFor(source, port ?? 'any')
}

interface Opened {
  readonly packet: OpenedPacket
  readonly keyring: Keyring
  readonly gnupg?: GnupgReport
}

async function tryKeys(
  envelope: Envelope,
  judged: Judged,
  arrival: Arrival,
  steps: Step[],
): Promise<Opened | undefined> {
  const keyrings = keyringsFor(judged, arrival)
  if (keyrings.length === 0) {
    const failure = {
      code: 'ACCESS_NO_SOURCE',
      detail: `no stanza is for this source${arrival.port === undefined ? '' : ` at port ${arrival.port}`}`,
    } as const
    steps.push({ what: 'keys', failure })
  }
  let unwelcome: Opened | undefined
  for (const keyring of keyrings) {
    const opened = await openUnder(keyring, envelope, judged.gnupg, steps)
    if (opened === undefined) continue
    const { gnupg } = opened
    if (gnupg === undefined || keyring.stanzas.some((stanza) => takesReport(stanza, gnupg))) return opened
    // As in the server: another keyring may know the signer.
    unwelcome ??= opened
  }
  return unwelcome
}

async function openUnder(
  keyring: Keyring,
  envelope: Envelope,
  runGpg: RunGpg | undefined,
  steps: Step[],
): Promise<Opened | undefined> {
  const keys = `keys of ${keyring.stanzas.map(({ id, name }) => describeStanza(id, name)).join(', ')}`
  const { hmac, encryption } = keyring
  const read = (decrypted: Decrypted): OpenedPacket | undefined => {
    const packet = readPlaintext(decrypted)
    steps.push(step(`${keys}: digest and fields`, packet))
    return packet.ok ? packet.value : undefined
  }
  switch (encryption.kind) {
    case 'symmetric': {
      const authentic = authenticatePacket(envelope, keyring, { commands: runsCommands(keyring) })
      steps.push(step(`${keys}: HMAC`, authentic, hmac === undefined ? 'none is needed' : `right, ${hmac.type}`))
      if (!authentic.ok) return undefined
      const decrypted = decrypt(authentic.value, encryption)
      steps.push(step(`${keys}: decryption`, decrypted, `Rijndael ${encryption.mode}`))
      const packet = decrypted.ok ? read(decrypted.value) : undefined
      return packet === undefined ? undefined : { packet, keyring }
    }
    case 'gnupg': {
      const authentic = authenticateGnupgPacket(envelope, keyring)
      steps.push(step(`${keys}: HMAC`, authentic, hmac === undefined ? 'none is needed' : `right, ${hmac.type}`))
      if (!authentic.ok) return undefined
      const message = authentic.value.envelope.ciphertext(authentic.value.tagLength)
      const recipients = message === undefined ? undefined : recipientsOf(message)
      if (message === undefined || recipients === undefined) {
        steps.push(step(`${keys}: OpenPGP`, refuse('SPA_MALFORMED', 'it is not an encrypted OpenPGP message')))
        return undefined
      }
      steps.push({ what: `${keys}: OpenPGP`, found: `for key ${recipients.join(', ')}` })
      const opened = (await runGpg?.(encryption, message)) ?? refuse('GNUPG_FAILED', 'gpg was not run')
      if (!opened.ok) {
        steps.push(step(`${keys}: gpg`, opened))
        return undefined
      }
      const { plaintext, how, signature, decryptIds } = opened.value
      steps.push({ what: `${keys}: gpg`, found: `decrypted, ${describeSignature(signature)}. ${how}` })
      const packet = read(decryptedByGnupg(authentic.value, plaintext))
      return packet === undefined ? undefined : { packet, keyring, gnupg: { signature, decryptIds } }
    }
    default:
      return encryption satisfies never
  }
}

function describeSignature(signature: SignatureReport): string {
  switch (signature.kind) {
    case 'none':
      return 'not signed'
    case 'unverified':
      return `signature not verified: ${signature.why}`
    case 'verified': {
      const { fingerprint, primary, state, isTrusted } = signature
      const of = primary === fingerprint ? '' : ` (of key ${primary})`
      return `signed by ${fingerprint}${of}, ${state}, ${isTrusted ? 'trusted' : 'not trusted by the keyring'}`
    }
    default:
      return signature satisfies never
  }
}

function step(what: string, result: Result<unknown>, found = 'right'): Step {
  return result.ok ? { what, found } : { what, failure: result.failure }
}

function judge(stanzas: readonly Stanza[], request: Request, policy: Policy, now: UnixSeconds) {
  const verdict = decide(policy, stanzas, request, now)
  return {
    stanzas: stanzas.map((stanza) => ({
      stanza: describeStanza(stanza.id, stanza.name),
      at: `${stanza.location.file}:${stanza.location.line}`,
      rules: examine(policy, stanza, request, now).map(
        ({ rule, failure }): Step =>
          failure === undefined ? { what: rule, found: found(rule, stanza) } : { what: rule, failure },
      ),
    })),
    verdict: describeVerdict(verdict, (id) => {
      const stanza = stanzas.find((one) => one.id === id)
      return describeStanza(id, stanza?.name)
    }),
  }
}

/** With the SPA ports of a stanza: without --port, a packet to any port is judged. */
function found(rule: string, { spaPorts }: Stanza): string {
  if (rule !== 'SPA_PORT' || spaPorts === undefined) return 'allows it'
  return `allows it: this stanza takes packets to udp ${spaPorts.map(formatCapturePort).join(', ')}`
}

function describeVerdict(verdict: Verdict, name: (id: StanzaId) => string): NonNullable<Trace['verdict']> {
  const { stanza } = verdict
  const who = stanza === undefined ? {} : { stanza: name(stanza) }
  if (verdict.granted) return { granted: true, ...who, what: describeAction(verdict.action) }
  if (verdict.lookUp !== undefined)
    return { granted: false, ...who, what: `first, the server would look up “${verdict.lookUp.name}”` }
  return { granted: false, ...who, code: verdict.failure.code, what: verdict.failure.detail }
}

function describeAction(action: Action): string {
  switch (action.kind) {
    case 'grant': {
      const { openings, source, lifetime } = action.grant
      return `opens ${openings.map(describeOpening).join(', ')} for ${source}, ${lifetime} s`
    }
    case 'command':
      return `runs: ${action.command}`
    case 'close': {
      const { ports, source } = action.closing
      const what = ports.length === 0 ? 'every port' : formatProtocolPorts(ports)
      return `ends what it opened for ${source}: ${what}`
    }
    case 'cycle': {
      const { openings, source, lifetime } = action.grant
      return `runs the open command for ${openings.map(describeOpening).join(', ')} for ${source}, and the close after ${lifetime} s`
    }
    default:
      return action satisfies never
  }
}
