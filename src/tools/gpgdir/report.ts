/** What gpgdir prints: the lines of gpgdir 1.9.6, or a line of JSON for each file. */

import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { Terminal } from '../../cli/terminal/terminal.ts'
import type { Operation } from './names.ts'
import type { Unrestored } from './obfuscate.ts'
import { below, type Skipped, type Task, TOLD_REASONS } from './plan.ts'
import type { Request } from './request.ts'
import type { FileResult, Total } from './work.ts'

const WORDS = {
  encrypt: { doing: 'Encrypting', done: 'encrypted' },
  decrypt: { doing: 'Decrypting', done: 'decrypted' },
  sign: { doing: 'Signing', done: 'signed' },
  verify: { doing: 'Verifying', done: 'verified' },
} as const satisfies Record<Operation, unknown>

export class Report {
  readonly #terminal: Terminal
  readonly #request: Request
  readonly #operation: Operation
  readonly #top: string
  /** Files in all, for the progress bar. */
  #files = 0
  #begun = 0
  #hasObfuscated = false
  readonly #bar: boolean

  constructor(terminal: Terminal, request: Request & { readonly operation: Operation }, top: string) {
    this.#terminal = terminal
    this.#request = request
    this.#operation = request.operation
    this.#top = top
    // Lines of files and a bar would disturb each other.
    this.#bar = isatty(2) && (request.quiet || request.output === 'json' || !isatty(1)) && !request.interactive
  }

  begins(argv: readonly string[], key: string | undefined): void {
    if (!this.#isText) return
    this.#terminal.print(`[+] Executing: gpgdir ${argv.join(' ')}`)
    if (key !== undefined) this.#terminal.print(`Using GnuPG key: ${key}`)
    this.#terminal.print([
      '',
      `[+] ${WORDS[this.#operation].doing} files in directory: ${this.#top}`,
      '[+] Building file list...',
    ])
  }

  finished(sources: readonly string[]): void {
    for (const path of sources) {
      if (this.#request.output === 'json') this.#terminal.printJson({ path, outcome: 'finished' })
      else this.#terminal.print(`[+] Finished what an earlier run began: ${this.#whole(path)}`)
    }
  }

  skips(skipped: readonly Skipped[]): void {
    for (const { path, why } of skipped) {
      // With -O the map tells of it.
      if (why === 'has an obfuscated name' && this.#request.obfuscate) continue
      this.#hasObfuscated ||= why === 'has an obfuscated name'
      if (!TOLD_REASONS.has(why) && !this.#request.verbose) continue
      if (this.#isText) this.#terminal.print(`[-] Skipping ${this.#whole(path)}: ${why}`)
      else this.#terminal.printJson({ path, outcome: 'skipped', why })
    }
  }

  plans(files: number): void {
    this.#files = files
  }

  begin(task: Task): void {
    this.#begun++
    if (this.#bar) this.#showBar()
    if (this.#isText && !this.#request.quiet) this.#name(task)
  }

  /** In a trial run. */
  would(task: Task): void {
    const { folder, source, target } = task
    // The numbers are given when it is done.
    const becomes = this.#operation === 'encrypt' && this.#request.obfuscate ? {} : { target: below(folder, target) }
    if (this.#isText) this.#name(task)
    else this.#terminal.printJson({ path: below(folder, source), ...becomes, outcome: 'planned' })
  }

  #name({ folder, source, target }: Task): void {
    const numbered = this.#operation === 'encrypt' && this.#request.trial
    const becomes = this.#request.obfuscate && !numbered ? ` -> ${target}` : ''
    this.#terminal.print(`[+] ${WORDS[this.#operation].doing}: ${this.#whole(below(folder, source))}${becomes}`)
  }

  unrestored(folders: readonly Unrestored[]): void {
    for (const { path, real } of folders) {
      const why = 'its real name is taken'
      if (this.#isText) this.#terminal.print(`[-] Skipping ${this.#whole(path)}: ${why}: ${real}`)
      else this.#terminal.printJson({ path, outcome: 'skipped', why })
    }
  }

  told({ path, target, problem, remarks }: FileResult): void {
    const outcome = problem === undefined ? WORDS[this.#operation].done : 'failed'
    if (this.#request.output === 'json')
      this.#terminal.printJson({ path, target, outcome, ...(problem !== undefined && { why: problem }) })
    if (problem === undefined) return
    if (this.#bar) this.#terminal.note('')
    if (this.#isText) this.#terminal.note(`[-] ${this.#whole(path)}: ${problem}`)
    if (this.#request.verbose) this.#terminal.note(remarks.map((remark) => `    ${remark}`))
  }

  ends({ done, failed, stopped }: Total): void {
    if (this.#bar && this.#begun > 0) this.#terminal.note('')
    const { done: word } = WORDS[this.#operation]
    const left = this.#files - done - failed
    if (this.#request.output === 'json') {
      this.#terminal.printJson({ [word]: done, failed, left, ...(stopped !== undefined && { stopped }) })
      return
    }
    this.#terminal.print(['', `[+] Total number of files ${word}: ${done}`])
    if (this.#hasObfuscated) this.#terminal.print('[-] Some files have obfuscated names: try decrypting with -O')
    if (failed > 0) this.#terminal.note(`[-] Files that are as they were, because of an error: ${failed}`)
    if (stopped !== undefined) this.#terminal.note(`[-] Stopped: ${stopped}. Files not looked at: ${left}`)
  }

  #showBar(): void {
    try {
      writeSync(2, `\r[${bar(this.#begun, this.#files)}] ${this.#begun} of ${this.#files}`)
    } catch {
      // The terminal was hung up, which is no reason to stop.
    }
  }

  get #isText(): boolean {
    return this.#request.output === 'text'
  }

  #whole(path: string): string {
    return this.#top === '/' ? `/${path}` : `${this.#top}/${path}`
  }
}

const BAR_WIDTH = 30

function bar(done: number, all: number): string {
  const filled = all === 0 ? BAR_WIDTH : Math.round((BAR_WIDTH * done) / all)
  return '#'.repeat(filled).padEnd(BAR_WIDTH, '.')
}
