// npm run page-hash [-- URL]: the hash of the page that this source gives. With an URL: whether the page that is served
// there has the same files, byte by byte. So a page is judged from outside, where it cannot lie about itself.
import { pathToFileURL } from 'node:url'
import { makePage, sha256 } from './build.mjs'

/**
 * @param {string} url where the page is served
 * @param {readonly { readonly path: string, readonly content: Uint8Array }[]} files of the page as it should be
 * @returns {Promise<readonly string[]>} what differs, a line for each file; empty: it is the same page
 */
export async function compareServed(url, files) {
  const base = url.endsWith('/') ? url : `${url}/`
  const lines = await Promise.all(
    files.map(async ({ path, content }) => {
      // A gateway serves the page at its root alone.
      const address = new URL(path === 'index.html' ? './' : path, base)
      try {
        const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(20_000) })
        if (!response.ok) return `${path}: status ${response.status}`
        const served = sha256(new Uint8Array(await response.arrayBuffer()))
        return served === sha256(content) ? undefined : `${path}: another file`
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
        return `${path}: ${cause instanceof Error ? cause.message : 'it cannot be loaded'}`
      }
    }),
  )
  return lines.flatMap((line) => (line === undefined ? [] : [line]))
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { files, list } = await makePage()
  const [url] = process.argv.slice(2)
  say(`${list.bundle}  the page of version ${list.version}`)
  if (url !== undefined) {
    const different = await compareServed(url, files)
    for (const line of different) say(line)
    say(different.length === 0 ? `${url} serves the same page` : `${url} serves another page`)
    process.exitCode = different.length === 0 ? 0 : 1
  }
}

function say(/** @type {string} */ line) {
  process.stdout.write(`${line}\n`)
}
