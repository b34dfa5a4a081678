/**
 * `ghostport`: what a program needs to knock. {@link knock} does all that the command `ghostport knock` does. The parts
 * below it are for programs that carry packets in their own way, or that need the connection that found the port open.
 * The packets alone, which also run in a browser, are `ghostport/packet`. The server is the command `ghostport serve`;
 * it is not a library.
 *
 * @module
 */
export { type Circumstances, explainShutDoor, type ShutDoor } from './client/explain.ts'
export { type AskSecret, type GnupgKeys, type Keys, loadKeys, type SymmetricKeys } from './client/keys.ts'
export {
  type KnockPlan,
  type KnockWorld,
  type PacketSettings,
  type SealedKnock,
  type SealWorld,
  type SentKnock,
  sealKnock,
  sendKnock,
} from './client/knock.ts'
export {
  type KnockFailure,
  type KnockOptions,
  type KnockPacket,
  type KnockResult,
  knock,
  type OpenPort,
} from './client/one-call.ts'
export type { NumberOrText, PlanOptions } from './client/plan-options.ts'
export {
  buildRequest,
  doorOf,
  type Request,
  type RequestContext,
  type RequestedPorts,
  type RequestFailure,
} from './client/request.ts'
export { type Resolve, systemResolve } from './client/resolve.ts'
export {
  type AddressSeen,
  type ClosedDoor,
  type Door,
  type DoorLook,
  lookAtDoor,
  type OpenDoor,
  type OpenSign,
  type WaitTerms,
  waitForDoor,
} from './client/wait.ts'
export type { WaitOptions } from './client/wait-plan.ts'
export { type Clock, systemClock } from './clock.ts'
export type { GatewayUrl } from './config/client/gateway-urls.ts'
export type { ClientSettings, HttpProxy, KeySource, Transport } from './config/client/layer.ts'
export type { DnsSource, WebSource } from './config/client/own-address-sources.ts'
export type { Delivery, Departure, NotSent, OutgoingPacket } from './delivery/delivery.ts'
export { memoryDelivery } from './delivery/memory.ts'
export { udpDelivery } from './delivery/udp.ts'
export { type FailureCode, type FailureKind, failureKinds } from './failure-codes.ts'
export type { ProxyPassword, SigningPassphrase } from './packet/key.ts'
export { STANDARD_SPA_PORT } from './packet/protocol-port.ts'
export type { Failure, Ok, Refused, Result, SourceLocation } from './result.ts'
export {
  type Milliseconds,
  milliseconds,
  type Port,
  parsePort,
  port,
  type Seconds,
  seconds,
  type UnixSeconds,
  unixSeconds,
} from './units.ts'
