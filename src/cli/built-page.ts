/** Where the build puts the pages for browsers (`web/`). */
import { fileURLToPath } from 'node:url'

/** @returns the folder of a page. It is not there in a copy that was not built. */
export function builtPage(name: 'page' | 'ui' | 'console'): string {
  // From src/cli/, or from the bundle in dist/cli/.
  const above = import.meta.url.endsWith('.ts') ? '../../dist/web' : '../web'
  return fileURLToPath(new URL(`${above}/${name}`, import.meta.url))
}
