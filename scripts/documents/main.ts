/**
 * `npm run documents`: writes the man pages, and what shells complete, from the tables of options. A test asserts that
 * they are as this writes them.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeDocuments } from './all.ts'

const root = join(import.meta.dirname, '..', '..')
for (const [file, text] of await writeDocuments()) {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), text)
  process.stdout.write(`${file}\n`)
}
