/**
 * `ghostport`: what a program needs to knock by itself, and to read the files and codes of the two ends. The packets alone,
 * which run in a browser too, are `ghostport/packet`. The server is the command `ghostport serve`; it is no library.
 *
 * @module
 */
export { textFromBytes } from './bytes/text.ts'
export { type Keys, loadKeys } from './client/keys.ts'
export {
  type KnockPlan,
  type KnockWorld,
  type SealedKnock,
  type SentKnock,
  sealKnock,
  sendKnock,
} from './client/knock.ts'
export { buildRequest, doorOf, type Request, type RequestContext } from './client/request.ts'
export { type Resolve, systemResolve } from './client/resolve.ts'
export {
  type AddressSeen,
  type ClosedDoor,
  type Door,
  type DoorLook,
  lookAtDoor,
  type OpenDoor,
  type OpenSign,
  waitForDoor,
} from './client/wait.ts'
export { type Clock, systemClock } from './clock.ts'
export { parseAccessConf } from './config/access/access-conf.ts'
export { parseFwknoprc, type RcFile } from './config/client/fwknoprc.ts'
export type { ClientSettings } from './config/client/layer.ts'
export { type ConfigFiles, filesFromSnapshot } from './config/reading/config-files.ts'
export type { Notice } from './config/reading/notice.ts'
export { parseFwknopdConf } from './config/server/fwknopd-conf.ts'
export type { ServerConfig } from './config/server/server-config.ts'
export type { Delivery, Departure, OutgoingPacket } from './delivery/delivery.ts'
export { memoryDelivery } from './delivery/memory.ts'
export { udpDelivery } from './delivery/udp.ts'
export { type FailureCode, failureKinds } from './failure-codes.ts'
export { STANDARD_SPA_PORT } from './packet/protocol-port.ts'
export type { Failure, Ok, Refused, Result, SourceLocation } from './result.ts'
export { type Milliseconds, milliseconds, type Port, parsePort, port, type Seconds, type UnixSeconds } from './units.ts'
