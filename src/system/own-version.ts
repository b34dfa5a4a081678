/** The version of the package that this program belongs to. */
import { readFileSync } from 'node:fs'

/** @returns `?` for a package that does not say. */
export function ownVersion(): string {
  // The same way from src/system/, and from the bundles in dist/cli/ and dist/daemon/.
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return manifest !== null && typeof manifest === 'object' && 'version' in manifest ? String(manifest.version) : '?'
}
