/**
 * The files of a page, read once at the start and served from memory. A request names a file by an exact path of a
 * table: no part of a request becomes a path of the file system.
 */
import { createHash } from 'node:crypto'
import { constants, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { fileReason } from '../system/errno.ts'
import { systemPath } from '../system/system-path.ts'
import { type HttpReply, type Route, route } from './route.ts'
import type { PagePermissions } from './security-headers.ts'

/** Ending → type. Files with other endings are refused: a type that is guessed may be run. */
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  woff2: 'font/woff2',
  wasm: 'application/wasm',
  txt: 'text/plain; charset=utf-8',
}
const COMPRESSED = /^(?:text\/|application\/(?:json|manifest)|image\/svg)/
/** A page of ours has some 300 kB. */
const MOST_BYTES = 16 * 1024 * 1024
const MOST_FILES = 500
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/

export interface BundleFile {
  /** As it is requested: `/app.js`. `/index.html` is `/`. */
  readonly path: string
  readonly type: string
  readonly bytes: Uint8Array
  /** SHA-256, in hexadecimal. */
  readonly hash: string
}

export interface Bundle {
  /** In the order of their paths. */
  readonly files: readonly BundleFile[]
  /**
   * SHA-256 over the hash and name of each file, as `sha256sum` prints them (`HASH  NAME`, a line each, in the order of
   * the names). Without files.json, which holds this hash: docs/PAGE.md.
   */
  readonly hash: string
}

/**
 * @param folder with the files, and folders of files.
 * @returns the bundle; CONFIG_UNREADABLE for a folder that is not there, or that holds what is no file of a page.
 */
export function readBundle(folder: string): Result<Bundle, Failure<'CONFIG_UNREADABLE'>> {
  const found: BundleFile[] = []
  let bytes = 0
  const walk = (under: string): string | undefined => {
    for (const entry of readdirSync(systemPath(join(folder, under)), { withFileTypes: true })) {
      const path = `${under}/${entry.name}`
      if (!NAME.test(entry.name)) return `${folder}${path} has a name that no file of a page has`
      if (entry.isDirectory()) {
        const fault = walk(path)
        if (fault !== undefined) return fault
        continue
      }
      const type = TYPES[entry.name.split('.').at(-1)?.toLowerCase() ?? '']
      if (!entry.isFile()) return `${folder}${path} is not a regular file`
      if (type === undefined) return `${folder}${path} has an unknown ending`
      const content = readFileSync(systemPath(join(folder, path)), { flag: constants.O_RDONLY | constants.O_NOFOLLOW })
      bytes += content.length
      found.push({ path: path === '/index.html' ? '/' : path, type, bytes: content, hash: sha256(content) })
      if (found.length > MOST_FILES || bytes > MOST_BYTES) return `${folder} holds too much for a page`
    }
    return undefined
  }
  try {
    const fault = walk('')
    if (fault !== undefined) return refuse('CONFIG_UNREADABLE', fault)
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${folder}: ${fileReason(error)}`)
  }
  found.sort((one, other) => (one.path < other.path ? -1 : 1))
  const named = found.map(({ hash, path }) => ({ hash, name: path === '/' ? 'index.html' : path.slice(1) }))
  const lines = named
    .filter(({ name }) => name !== 'files.json')
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ hash, name }) => `${hash}  ${name}\n`)
  return ok({ files: found, hash: sha256(lines.join('')) })
}

function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex')
}

/** A route for each file. @param permissions of its pages; other files may do nothing. */
export function bundleRoutes(bundle: Bundle, permissions: PagePermissions): readonly Route[] {
  return bundle.files.map((file) => {
    const compressed = COMPRESSED.test(file.type) ? gzipSync(file.bytes, { level: 9 }) : undefined
    const etag = `"${file.hash}"`
    const headers = {
      'content-type': file.type,
      etag,
      // Asked again each time, and answered with 304.
      'cache-control': 'no-cache',
      vary: 'accept-encoding',
    }
    return route<undefined>({
      method: 'GET',
      path: file.path,
      from: 'own',
      body: { kind: 'none' },
      page: permissions,
      handle(request): HttpReply {
        if (request.header('if-none-match') === etag) return { status: 304, headers }
        const takesGzip = /(?:^|[,\s])gzip(?:\s*(?:,|$)|\s*;\s*q=(?:1|0\.[0-9]*[1-9]))/.test(
          request.header('accept-encoding') ?? '',
        )
        return compressed !== undefined && takesGzip
          ? { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: compressed }
          : { status: 200, headers, body: file.bytes }
      },
    })
  })
}
