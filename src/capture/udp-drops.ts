/** What the kernel had no room for, as Linux counts it in /proc/net/udp. */
import { readFileSync } from 'node:fs'

/** @returns datagrams dropped so far by the sockets bound to these ports; 0 where the system does not tell. */
export function udpDrops(ports: readonly number[]): number {
  let drops = 0
  for (const table of ['/proc/self/net/udp', '/proc/self/net/udp6']) {
    try {
      drops += dropsIn(readFileSync(table, 'utf8'), ports)
    } catch {
      // Not Linux, or no IPv6.
    }
  }
  return drops
}

/** @param table the text of /proc/net/udp: `sl local_address rem_address … drops`, the local port in hexadecimal. */
export function dropsIn(table: string, ports: readonly number[]): number {
  let drops = 0
  for (const row of table.split('\n').slice(1)) {
    const columns = row.trim().split(/\s+/)
    const port = Number.parseInt(columns[1]?.split(':')[1] ?? '', 16)
    if (ports.includes(port)) drops += Number(columns.at(-1))
  }
  return drops
}
