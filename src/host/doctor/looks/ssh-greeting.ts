/**
 * What the ssh server of this host says to a new connection. sshd locks a source out that connects often and does not
 * log in (PerSourcePenalties: some 18 quick connections). So one connection is made at most, and none if there were
 * several of late.
 */
import { type IpAddress, parseAddress } from '../../../packet/address.ts'
import type { Port } from '../../../units.ts'
import { lookAtSockets, type SocketRow } from '../../facts/socket-table.ts'
import { lookAtSshd } from '../../facts/sshd.ts'
import { type Known, known, notKnown } from '../../known.ts'
import type { Subject } from '../subject.ts'

export interface SshGreeting {
  readonly address: IpAddress
  readonly port: Port
  /** The first line, printable. */
  readonly line: string
  /** PerSourcePenalties of its settings: `no`, or its values. Undefined: this version has none. */
  readonly penalties: Known<string | undefined>
}

/** Connections of the last minute that are enough. A connection that has ended is listed for a minute. */
const ENOUGH = 5

/** @returns undefined if no ssh server listens. */
export async function lookAtSshGreeting({ looker }: Subject): Promise<Known<SshGreeting | undefined>> {
  const endpoints = await lookAtSshd(looker)
  if (!endpoints.known) return endpoints
  const [endpoint] = endpoints.value
  if (endpoint === undefined) return known(undefined)
  const { port } = endpoint
  const address = reachable(endpoint.address)
  const sockets = lookAtSockets(looker)
  if (!sockets.known) return sockets
  const recent = sockets.value.filter((row) => isOwn(row, port)).length
  if (recent >= ENOUGH)
    return notKnown(
      `this host has connected to its ssh server ${recent} times in the last minute, and more could lock it out`,
    )
  const line = await looker.readLine(address, port)
  if (!line.known) return line
  const said = await looker.ask('settings of sshd')
  const penalties = said.known
    ? said.value.status === 0
      ? known(parsePenalties(said.value.output))
      : notKnown(said.value.complaint)
    : said
  return known({ address, port, line: line.value, penalties })
}

/** Of this host with itself. */
function isOwn({ protocol, state, local, peer }: SocketRow, port: Port): boolean {
  const between = local.port === port || peer.port === port
  return protocol === 'tcp' && state === 'other' && between && local.address === peer.address
}

function reachable(address: IpAddress): IpAddress {
  const local = parseAddress(address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address)
  return local.ok ? local.value : address
}

/** @param text of `sshd -T`: names in small letters. */
export function parsePenalties(text: string): string | undefined {
  const [, value] = /^persourcepenalties (.*)$/m.exec(text) ?? []
  return value
}
