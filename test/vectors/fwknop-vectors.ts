/** The file of vectors, read. */
import { readFileSync } from 'node:fs'
import type { RawVector } from './packet-vectors.ts'

export const fwknopVectors: readonly RawVector[] = JSON.parse(
  readFileSync(new URL('fwknop-2.6.10.json', import.meta.url), 'utf8'),
)
