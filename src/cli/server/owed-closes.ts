/** What `--fw-flush` does with command cycles: each close that is owed runs now, as each grant ends. */
import { existsSync } from 'node:fs'
import { findLogin, readAccountFiles } from '../../commands/accounts.ts'
import { Ledger, type OwedClose } from '../../commands/ledger.ts'
import { isGood, runProgram } from '../../commands/run-program.ts'
import { currentSituation } from '../../system/privilege.ts'
import { systemPath } from '../../system/system-path.ts'
import type { Terminal } from '../terminal/terminal.ts'

/**
 * The server must not run: its executor has the ledger.
 * @param path of the ledger.
 */
export async function runOwedCloses(path: string, terminal: Terminal): Promise<void> {
  if (!existsSync(systemPath(path))) return
  const ledger = Ledger.open(path)
  const read = ledger.ok ? ledger.value.read() : ledger
  if (!ledger.ok || !read.ok) {
    terminal.note(`warning: closes of command cycles did not run: ${read.ok ? '' : read.failure.detail}`)
    return
  }
  const { owed, unreadable } = read.value
  let good = 0
  for (const each of owed) {
    const why = await run(each)
    if (why === undefined) good++
    else terminal.note(`warning: the close of ${each.about.open} for ${each.about.source} failed: ${why}`)
    ledger.value.remove(each.key)
  }
  if (owed.length > 0) terminal.print(`Closes of command cycles that ran: ${good} of ${owed.length}.`)
  if (unreadable > 0) terminal.note(`warning: ${unreadable} closes in ${path} cannot be read, and did not run`)
  if (unreadable > 0) ledger.value.close()
  else ledger.value.removeFile()
}

/** @returns why it failed, if it did. */
async function run({ close }: OwedClose): Promise<string | undefined> {
  const { words, runAs, facts, timeout } = close
  const files = readAccountFiles()
  const login = files.ok ? findLogin(runAs, files.value) : files
  if (!login.ok) return login.failure.detail
  const { setpriv } = currentSituation()
  const ended = await runProgram({ words, login: login.value, facts, timeout, setpriv }).ended
  if (isGood(ended)) return undefined
  return (
    ended.why ?? (ended.status === undefined ? `${ended.how} ${ended.signal ?? ''}`.trim() : `status ${ended.status}`)
  )
}
