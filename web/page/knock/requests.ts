/** From a profile to the requests of one knock. */
import { buildRequest, type Request } from '../../../src/client/request.ts'
import type { ClientSettings } from '../../../src/config/client/layer.ts'
import type { IpAddress } from '../../../src/packet/address.ts'
import { parseUsername } from '../../../src/packet/username.ts'
import { type Failure, ok, type Result } from '../../../src/result.ts'
import type { Seconds } from '../../../src/units.ts'

/** The name in the packet, if the profile has none. The server logs it; it decides nothing unless it is required. */
const USER = 'page'

export interface Asked {
  /** The address to open for. Never the packet's own source: that is the gateway. */
  readonly source: IpAddress
  readonly timeout?: Seconds
  /** 16 random bits. */
  readonly random: number
  /** To close what these settings opened, instead. */
  readonly close?: boolean
}

/**
 * @returns the requests, at least one. NAT carries one port in a packet, so several ports become several packets. To
 * close, one packet is enough.
 */
export function requestsFor(settings: ClientSettings, asked: Asked): Result<readonly Request[], Failure> {
  const context = { username: parseUsername(USER), random: asked.random, close: asked.close === true }
  const whole: ClientSettings = {
    ...settings,
    allow: asked.source,
    ...(asked.timeout !== undefined && { timeout: asked.timeout }),
  }
  const isNat = settings.natLocal === true || settings.natAccess !== undefined
  const ports = settings.access ?? []
  // One target port, or one public port, for several: the parser of one request says what is wrong with that.
  const mayBeSplit = settings.natPort === undefined && settings.natAccess?.port === undefined
  const each =
    !context.close && isNat && mayBeSplit && ports.length > 1
      ? ports.map((port) => ({ ...whole, access: [port] }))
      : [whole]
  const requests: Request[] = []
  for (const one of each) {
    const request = buildRequest(one, context)
    if (!request.ok) return request
    requests.push(request.value)
  }
  return ok(requests)
}
