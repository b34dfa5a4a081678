/** The JSON of `--json` (docs/CLIENT.md): fields are added, never renamed or given another meaning. */
import type { KnockPlan, SealedKnock, SentKnock } from '../../client/knock.ts'
import type { Request } from '../../client/request.ts'
import type { OpenDoor } from '../../client/wait.ts'
import { isHostName } from '../../packet/nat-target.ts'
import type { Receipt } from '../../packet/receipt.ts'
import type { Port } from '../../units.ts'

/** A knock that was made, and, unless it was a test, sent. */
export function knockJson(
  { request, server, settings }: KnockPlan,
  packets: readonly (SealedKnock | SentKnock)[],
  receipt?: Receipt,
  opened?: Pick<OpenDoor, 'address' | 'after' | 'already'> & { readonly port: Port },
) {
  return {
    ok: true,
    server,
    request: requestJson(request),
    transport: settings.transport ?? 'udp',
    proxy: settings.proxy === undefined ? null : { host: settings.proxy.host, port: settings.proxy.port },
    gateway: settings.gateway === undefined ? null : settings.gateway.host,
    receipt:
      receipt === undefined
        ? null
        : {
            verdict: receipt.verdict,
            server_time: receipt.serverTime,
            until: receipt.verdict === 'open' ? receipt.until : null,
            code: receipt.verdict === 'refused' ? receipt.code : null,
          },
    packets: packets.map(packetJson),
    open:
      opened === undefined
        ? null
        : {
            address: opened.address,
            port: opened.port,
            milliseconds: Math.round(opened.after * 10) / 10,
            already: opened.already,
          },
  }
}

function requestJson(request: Request) {
  const command = request.kind === 'command'
  const nat = request.kind === 'natAccess' ? request.target : undefined
  return {
    kind: request.kind,
    source: request.source,
    username: request.username,
    ports: command ? [] : request.ports.map(({ protocol, port }) => `${protocol}/${port}`),
    timeout: command || request.kind === 'close' ? null : (request.timeout ?? null),
    command: command ? request.command : null,
    target: nat === undefined ? null : { host: isHostName(nat.host) ? nat.host.name : nat.host, port: nat.port },
    local_port: request.kind === 'localNatAccess' ? request.localPort : null,
  }
}

function packetJson(packet: SealedKnock | SentKnock) {
  const { address, port, message, text } = packet
  const departure = 'departure' in packet ? packet.departure : undefined
  return {
    address,
    port,
    characters: text.length,
    timestamp: message.timestamp,
    sent: departure?.ok === true,
    local_address: departure?.ok === true ? departure.value.localAddress : null,
    error: departure?.ok === false ? departure.failure.detail : null,
    http_status: departure?.ok === true ? (departure.value.httpStatus ?? null) : null,
    // Anybody who reads a packet before the server does can use it once. So it is shown only if it was not sent.
    packet: departure === undefined ? text : null,
  }
}
