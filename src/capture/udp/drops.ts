/** Datagrams that the kernel had no room for, as Linux counts them in /proc/net/udp. */
import { closeSync, openSync, readSync } from 'node:fs'

const TABLES = ['/proc/self/net/udp', '/proc/self/net/udp6']
const CHUNK = 64 * 1024
/** Bytes of a table to read at most: some 8 000 sockets. */
const LONGEST_TABLE = 1024 * 1024

/** Reads the counts repeatedly from files that are opened once: a confined receiver cannot open files. */
export class UdpDrops {
  readonly #files: readonly number[]

  constructor() {
    this.#files = TABLES.flatMap((table) => {
      try {
        return [openSync(table, 'r')]
      } catch {
        return [] // Not Linux, or no IPv6.
      }
    })
  }

  /** @returns datagrams dropped so far by the sockets bound to these ports; 0 if the system does not count them. */
  of(ports: readonly number[]): number {
    return this.#files.reduce((sum, file) => sum + dropsIn(readAll(file), ports), 0)
  }

  close(): void {
    for (const file of this.#files) closeSync(file)
  }
}

/** The kernel builds the table again for each read from its beginning. */
function readAll(file: number): string {
  const chunk = Buffer.alloc(CHUNK)
  let text = ''
  for (let at = 0; at < LONGEST_TABLE; ) {
    const length = readSync(file, chunk, 0, CHUNK, at)
    if (length === 0) break
    text += chunk.toString('latin1', 0, length)
    at += length
  }
  return text
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
