/** The page of `ghostport console` (docs/CONSOLE.md). */
import { render } from 'preact'
import { App } from './app.tsx'
import { look } from './session.ts'
// Shows the theme that was chosen before the first picture.
import '../shared/theme.ts'

const root = document.getElementById('page')
if (root !== null) render(<App />, root)
void look()
