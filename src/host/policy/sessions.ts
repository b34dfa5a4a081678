/** The TCP sessions that are open when a policy comes into force. It must not end them. */
import { readFileSync } from 'node:fs'
import { type Connection, parseTcpTable } from '../../firewall/nftables/connections.ts'
import { type Ran, runHere } from '../run-here.ts'
import { renderSessions } from './render.ts'

/** All TCP connections of this host, in both directions. */
export function openConnections(): readonly Connection[] {
  return ['tcp', 'tcp6'].flatMap((table) => {
    try {
      return parseTcpTable(readFileSync(`/proc/thread-self/net/${table}`, 'latin1'))
    } catch {
      return []
    }
  })
}

/** Names them to the policy that is in force. @param nft path of the program. */
export function letSessionsLive(nft: string): Ran {
  const sessions = renderSessions(openConnections())
  return sessions === '' ? { status: 0, output: '', reason: '' } : runHere([nft, '-f', '-'], { input: sessions })
}
