/** The copy of the cluster's stanzas that a node keeps: the text of its file, which is read like access.conf. */
import type { Seen } from './roster.ts'

const HEAD = '# ghostport: the stanzas of the cluster, version '

/** @returns the text of the file. Version and stanzas are one text, so that they are always of one moment. */
export function copyText({ version, id }: Seen, stanzas: readonly string[]): string {
  const head = `${HEAD}${version} ${id}`
  return `${head}\n# The server writes this file anew. “ghostport user” changes what is in it.\n${stanzas.map((text) => `\n${text}\n`).join('')}`
}

/** @returns of which roster the copy is; undefined for a file that is none. */
export function seenIn(text: string): Seen | undefined {
  if (!text.startsWith(HEAD)) return undefined
  const [, version, id] = /^([0-9]{1,15}) ([A-Za-z0-9_-]{16})\n/.exec(text.slice(HEAD.length)) ?? []
  return version === undefined || id === undefined ? undefined : { version: Number(version), id }
}
