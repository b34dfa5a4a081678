/** The version of the package that this program belongs to. */
import { readFileSync } from 'node:fs'

/** @returns `?` for a package that does not say. */
export function ownVersion(): string {
  // From src/cli/terminal/, or from the bundle in dist/cli/.
  const path = import.meta.url.endsWith('.ts') ? '../../../package.json' : '../../package.json'
  const manifest: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
  return manifest !== null && typeof manifest === 'object' && 'version' in manifest ? String(manifest.version) : '?'
}
