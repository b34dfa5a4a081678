/** Rehearses a set-up in the network namespace that it runs in. Its argument is the wish, as JSON. */
import { fileURLToPath } from 'node:url'
import { usualKeys } from '../../src/cli/keygen.ts'
import { type RehearsalWish, rehearse } from '../../src/host/set-up/rehearse.ts'

const entry = fileURLToPath(new URL('../../src/cli/ghostport.ts', import.meta.url))
const wish = JSON.parse(process.argv[2] ?? '') as Omit<RehearsalWish, 'ghostport' | 'keys'>
const ghostport = [process.execPath, '--conditions=ghostport-source', entry] as const
process.stdout.write(JSON.stringify(await rehearse({ ...wish, ghostport, keys: usualKeys() })))
