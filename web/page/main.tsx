/** The page: a knock without installing anything (docs/PAGE.md). */
import { render } from 'preact'
import { App } from './app.tsx'
import { keepCopy } from './installed.ts'
import { openStore } from './vault/vault.ts'

declare global {
  /** Written by the build. */
  var PAGE_VERSION: string
}

const root = document.getElementById('page')
if (root !== null) render(<App />, root)
void openStore()
void keepCopy()
