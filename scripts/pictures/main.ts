/** `npm run pictures`: draws the pictures of the documents. A test asserts that they are as this draws them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { drawPictures } from './all.ts'

const root = join(import.meta.dirname, '..', '..')
for (const [file, svg] of drawPictures((name) => readFileSync(join(root, name), 'utf8'))) {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), svg)
  process.stdout.write(`${file}\n`)
}
