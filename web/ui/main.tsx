/** The page of `ghostport ui` (docs/UI.md). */
import { render } from 'preact'
import { stayOpen } from './api.ts'
import { App } from './app.tsx'
import { look } from './state.ts'

const root = document.getElementById('page')
if (root !== null) render(<App />, root)
void stayOpen()
void look()
