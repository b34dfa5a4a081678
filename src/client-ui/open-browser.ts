/** Opens a file in the browser of the user, by the program that each system has for it. */
import { spawn } from 'node:child_process'
import { milliseconds } from '../units.ts'

/** A program that still runs by then has found a browser. */
const STARTED = milliseconds(3_000)

/** @returns whether there was such a program. Only the path of a file is on its command line. */
export function openBrowser(file: string): Promise<boolean> {
  const [program, ...words] = programFor(process.platform)
  return new Promise((resolve) => {
    const child = spawn(program, [...words, file], { detached: true, stdio: 'ignore', windowsHide: true })
    child.once('error', () => resolve(false))
    child.once('exit', (status) => resolve(status === 0))
    child.once('spawn', () => {
      child.unref()
      // Some stay as long as the browser does.
      setTimeout(() => resolve(true), STARTED).unref()
    })
  })
}

function programFor(platform: NodeJS.Platform): readonly [string, ...string[]] {
  if (platform === 'darwin') return ['open']
  // Not “start”, which is a word of the shell.
  if (platform === 'win32') return ['rundll32.exe', 'url.dll,FileProtocolHandler']
  return ['xdg-open']
}
