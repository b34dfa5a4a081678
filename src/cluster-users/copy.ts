/** The copy of the cluster's stanzas that a node keeps: the text of its file, which is read like access.conf. */
import { COPY_HEAD } from '../config/access/cluster-blocks.ts'
import type { ClusterName } from '../config/server/cluster-settings.ts'
import type { Seen } from './roster.ts'

/** @returns the text of the file. Version and stanzas are one text, so that they are always of one moment. */
export function copyText(cluster: ClusterName, { version, id }: Seen, stanzas: readonly string[]): string {
  const head = `${COPY_HEAD}${cluster}, version ${version} ${id}`
  return `${head}\n# The server writes this file anew. “ghostport user” changes what is in it.\n${stanzas.map((text) => `\n${text}\n`).join('')}`
}

/** @returns of which roster of this cluster the copy is; undefined for a file that is none. */
export function seenIn(cluster: ClusterName, text: string): Seen | undefined {
  const head = `${COPY_HEAD}${cluster}, version `
  if (!text.startsWith(head)) return undefined
  const [, version, id] = /^([0-9]{1,15}) ([A-Za-z0-9_-]{16})\n/.exec(text.slice(head.length)) ?? []
  return version === undefined || id === undefined ? undefined : { version: Number(version), id }
}
