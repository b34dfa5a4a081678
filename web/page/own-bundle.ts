/** What this page is: the hashes of its files, as this browser has them. */

export interface OwnBundle {
  readonly version: string
  /** SHA-256 of the whole, in hex. */
  readonly bundle: string
  /** Files whose content is another than the list says. */
  readonly changed: readonly string[]
}

/** @returns undefined where the browser does not let a page read its own files, as from a folder. */
export async function ownBundle(): Promise<OwnBundle | undefined> {
  try {
    const list: unknown = await (await fetch('files.json')).json()
    const { version, bundle, files } = list as { version: unknown; bundle: unknown; files: unknown }
    if (typeof version !== 'string' || typeof bundle !== 'string' || !Array.isArray(files)) return undefined
    const lines: string[] = []
    const changed: string[] = []
    for (const file of files as { path: unknown; sha256: unknown }[]) {
      if (typeof file.path !== 'string' || !/^[a-z0-9.-]+$/i.test(file.path)) return undefined
      // Not loaded for this alone: its name is its hash.
      const hash = /^openpgp-/.test(file.path) ? `${file.sha256}` : await hashOf(file.path)
      lines.push(`${hash}  ${file.path}\n`)
      if (hash !== file.sha256) changed.push(file.path)
    }
    const whole = await hex(new TextEncoder().encode(lines.join('')))
    return { version, bundle: whole, changed: whole === bundle ? changed : [...changed, 'files.json'] }
  } catch {
    return undefined
  }
}

async function hashOf(path: string): Promise<string> {
  // A gateway serves the page at its root alone.
  const response = await fetch(path === 'index.html' ? './' : path)
  return response.ok ? await hex(await response.arrayBuffer()) : `status ${response.status}`
}

async function hex(data: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
