/** The bytes of a log, plain or compressed by gzip: block after block, in constant memory. */
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { errorCode, fileReason } from '../../system/errno.ts'
import { systemPath } from '../../system/system-path.ts'

/** For the standard input. */
export const STANDARD_INPUT = '-'
const BLOCK = 64 * 1024

/** Why a log was not read, or not to its end. */
export class LogUnreadable extends Error {}

const COMPRESSED: readonly { readonly by: string; readonly magic: string; readonly program: string }[] = [
  { by: 'bzip2', magic: '425a68', program: 'bzcat' },
  { by: 'xz', magic: 'fd377a585a00', program: 'xzcat' },
  { by: 'zstd', magic: '28b52ffd', program: 'zstdcat' },
]

/**
 * A block is valid until the next one is asked for.
 * @throws LogUnreadable
 */
export async function* blocksOf(path: string): AsyncGenerator<Buffer> {
  try {
    yield* plainBlocks(path === STANDARD_INPUT ? process.stdin : fileBlocks(path))
  } catch (error) {
    if (error instanceof LogUnreadable || errorCode(error) === undefined) throw error
    throw new LogUnreadable(fileReason(error))
  }
}

async function* fileBlocks(path: string): AsyncGenerator<Buffer> {
  const file = await open(systemPath(path), 'r')
  try {
    const buffer = Buffer.allocUnsafe(BLOCK)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, BLOCK, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

async function* plainBlocks(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = blocks[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done === true) return
  const head = first.value.subarray(0, 6).toString('hex')
  const foreign = COMPRESSED.find(({ magic }) => head.startsWith(magic))
  if (foreign !== undefined)
    throw new LogUnreadable(`is compressed by ${foreign.by}. Use a pipe: ${foreign.program} FILE | visitors -`)
  const all = from(first.value, iterator)
  if (head.startsWith('1f8b')) yield* inflated(all)
  else yield* all
}

async function* from(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield first
    for (;;) {
      const next = await rest.next()
      if (next.done === true) return
      yield next.value
    }
  } finally {
    await rest.return?.()
  }
}

async function* inflated(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  // zlib works in another thread, on blocks that nobody may change meanwhile.
  const copies = (async function* () {
    for await (const block of blocks) yield Buffer.from(block)
  })()
  const compressed = Readable.from(copies, { highWaterMark: 2 })
  const gunzip = createGunzip({ chunkSize: BLOCK })
  compressed.on('error', (error) => gunzip.destroy(error))
  try {
    for await (const block of compressed.pipe(gunzip)) yield block as Buffer
  } catch (error) {
    const code = errorCode(error)
    if (code === 'Z_BUF_ERROR') throw new LogUnreadable('ends in the middle of its gzip data')
    if (code?.startsWith('Z_') === true) throw new LogUnreadable('its gzip data are damaged')
    throw error
  } finally {
    compressed.destroy()
    gunzip.destroy()
  }
}
