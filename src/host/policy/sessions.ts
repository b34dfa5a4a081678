/** The TCP sessions that are open when a policy comes into force. It must not end them. */
import { readFileSync } from 'node:fs'
import { ALIVE } from '../../firewall/nftables/connections.ts'
import { parseSocketRows } from '../../firewall/socket-table.ts'
import type { Port } from '../../units.ts'
import type { Connection } from '../facts/connection-mark.ts'
import { type Ran, runHere } from '../run-here.ts'
import { renderSessions } from './render.ts'

/** All TCP connections of this host, in both directions. */
export function openConnections(): readonly Connection[] {
  return ['tcp', 'tcp6'].flatMap((table) => {
    try {
      const text = readFileSync(`/proc/thread-self/net/${table}`, 'latin1')
      // Such a connection has both ports.
      return parseSocketRows(text, { states: ALIVE }).map(({ local, peer }) => ({
        ...{ peer: peer.address, peerPort: peer.port as Port },
        ...{ local: local.address, localPort: local.port as Port },
      }))
    } catch {
      return []
    }
  })
}

/** As commands for the policy ({@link renderSessions}). */
export function renderOpen(connections: readonly Connection[]): string {
  return renderSessions(connections.map(({ peer, peerPort, localPort: port }) => ({ peer, peerPort, port })))
}

/** Names them to the policy that is in force. @param nft path of the program. */
export function letSessionsLive(nft: string): Ran {
  const sessions = renderOpen(openConnections())
  return sessions === '' ? { status: 0, output: '', reason: '' } : runHere([nft, '-f', '-'], { input: sessions })
}
