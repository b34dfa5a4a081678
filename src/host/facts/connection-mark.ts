/**
 * The mark of one connection, as the kernel's connection tracking has it. A connection that a grant let in carries
 * ghostport's mark, so this tells which ssh session came through a knock, also where sudo has cleared SSH_CONNECTION.
 * The message is that of ctnetlink (linux/netfilter/nfnetlink_conntrack.h).
 */
import { constants } from 'node:os'
import { askForReply, CTA_MARK, TCP } from '../../firewall/connections/tracked.ts'
import { NFGENMSG_LENGTH } from '../../firewall/nftables/netlink.ts'
import type { IpAddress } from '../../packet/address.ts'
import { describeErrno } from '../../system/errno.ts'
import { errnoOf, NLMSG_ERROR, readAttributes, readMessages } from '../../system/netlink.ts'
import type { Port } from '../../units.ts'
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'

/** A TCP connection to this host. */
export interface Connection {
  readonly peer: IpAddress
  readonly peerPort: Port
  readonly local: IpAddress
  readonly localPort: Port
}

/** The same for the same connection only. */
export function keyOf({ peer, peerPort, local, localPort }: Connection): string {
  return `${peer} ${peerPort} ${local} ${localPort}`
}

const { ENOENT } = constants.errno

/** @returns the mark, 0 for none; undefined if the kernel does not track the connection. */
export async function lookAtMark(looker: Looker, connection: Connection): Promise<Known<number | undefined>> {
  const answers = await looker.netfilter(askForConnection(connection))
  if (!answers.known) return answers
  return answers.value[0] === undefined ? notKnown('the kernel did not answer') : readMark(answers.value[0])
}

/**
 * A question by the tuple of this host's answers. That of the first packet would not do: where a grant led the port
 * elsewhere, it names another port than the socket has.
 */
export function askForConnection({ peer, peerPort, local, localPort }: Connection): Uint8Array {
  return askForReply(TCP, { source: local, sourcePort: localPort, destination: peer, destinationPort: peerPort })
}

/** @param datagram the answer to {@link askForConnection}. */
export function readMark(datagram: Uint8Array): Known<number | undefined> {
  for (const message of readMessages(datagram)) {
    if (message === undefined) break
    if (message.type === NLMSG_ERROR) {
      const errno = errnoOf(message)
      if (errno === ENOENT) return known(undefined)
      return notKnown(`the kernel does not show the connection: ${describeErrno(errno)}`)
    }
    const mark = readAttributes(message.body.subarray(NFGENMSG_LENGTH)).get(CTA_MARK)
    // Without the mark's own support in the kernel there is no such attribute.
    if (mark === undefined || mark.length < 4) return notKnown('the kernel does not show the mark of the connection')
    return known(new DataView(mark.buffer, mark.byteOffset).getUint32(0))
  }
  return notKnown('the kernel’s answer is not valid')
}
