/**
 * The way of the launch secret to the browser: a file that only this user can read. It has a form, so that the secret
 * is in no command line and in no address.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { fileReason } from '../system/errno.ts'
import type { Token } from './token.ts'

export interface LaunchFile {
  readonly path: string
  remove(): void
}

/** @param origin of the page. */
export function writeLaunchFile(origin: string, secret: Token): Result<LaunchFile, Failure<'CONFIG_UNWRITABLE'>> {
  // Not in XDG_RUNTIME_DIR: browsers in a sandbox (snap, Flatpak) may not read there.
  let folder: string
  try {
    folder = mkdtempSync(join(tmpdir(), 'ghostport-ui-')) // mode 0700
  } catch (error) {
    return refuse('CONFIG_UNWRITABLE', `${tmpdir()}: ${fileReason(error)}`, { suggestion: 'name a folder in TMPDIR' })
  }
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const path = join(folder, 'open.html')
  try {
    writeFileSync(path, launchPage(origin, secret), { flag: 'wx', mode: 0o600 })
    return ok({ path, remove })
  } catch (error) {
    remove()
    return refuse('CONFIG_UNWRITABLE', `${path}: ${fileReason(error)}`)
  }
}

/** Both are made by this program, and hold no sign that HTML knows. */
function launchPage(origin: string, secret: Token): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>ghostport</title>
<form method="post" action="${origin}/launch">
<input type="hidden" name="launch" value="${secret}">
<button>Open ghostport</button>
</form>
<script>document.forms[0].submit()</script>
</html>
`
}
