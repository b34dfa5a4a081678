/**
 * The instructions of a document: the fenced blocks of its sections, as steps. Tests run these, so that every
 * instruction works.
 *
 *   ```console                  after `# `: typed as root on the server; after `$ `: typed by the user on the client;
 *                               the rest: their output. A line that ends in `\` goes on.
 *   ```conf /etc/some/file      the text of a file, or, for fwknop's kinds, settings in it
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

export type Step =
  | { readonly kind: 'server' | 'client'; readonly command: string; readonly prints: readonly string[] }
  | { readonly kind: 'file'; readonly path: string; readonly text: string }

export interface Section {
  readonly title: string
  readonly steps: readonly Step[]
}

const root = new URL('../../', import.meta.url)

/** @param name from the root of the repository: `README.md`. */
export function readDocument(name: string): readonly Section[] {
  return sectionsOf(readFileSync(new URL(name, root), 'utf8'))
}

/** The section with this title. @throws AssertionError if there is none: a document was changed and a test was not. */
export function section(sections: readonly Section[], title: string): Section {
  const found = sections.find((each) => each.title === title)
  assert.ok(found, `no section “${title}” in: ${sections.map((each) => each.title).join(', ')}`)
  return found
}

function sectionsOf(markdown: string): readonly Section[] {
  const sections: { title: string; steps: Step[] }[] = []
  let block: { readonly info: string; readonly lines: string[] } | undefined
  for (const line of markdown.split('\n')) {
    if (block !== undefined) {
      if (line !== '```') block.lines.push(line)
      else {
        sections.at(-1)?.steps.push(...stepsOf(block.info, block.lines))
        block = undefined
      }
    } else if (line.startsWith('```')) block = { info: line.slice(3).trim(), lines: [] }
    else if (/^#+ /.test(line)) sections.push({ title: line.replace(/^#+ /, ''), steps: [] })
  }
  return sections
}

function stepsOf(info: string, lines: readonly string[]): readonly Step[] {
  const [language, path] = info.split(' ')
  if (language === 'console') return typed(lines)
  return path === undefined ? [] : [{ kind: 'file', path, text: `${lines.join('\n')}\n` }]
}

function typed(lines: readonly string[]): readonly Step[] {
  const steps: { kind: 'server' | 'client'; command: string; prints: string[] }[] = []
  let goesOn = false
  for (const line of lines) {
    const last = steps.at(-1)
    const [, prompt, command = ''] = /^([#$]) (.*)$/.exec(line) ?? []
    if (goesOn && last !== undefined) last.command += `\n${line}`
    else if (prompt !== undefined) steps.push({ kind: prompt === '#' ? 'server' : 'client', command, prints: [] })
    else last?.prints.push(line)
    goesOn = line.endsWith('\\')
  }
  return steps
}

/** The words in `code` of a section, for instructions that a document gives in sentences. */
export function codeIn(name: string, title: string): readonly string[] {
  const [, after] = readFileSync(new URL(name, root), 'utf8').split(new RegExp(`^#+ ${title}$`, 'm'))
  assert.ok(after !== undefined, `no section “${title}” in ${name}`)
  const [own = ''] = after.split(/^#+ /m)
  return [...own.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replace(/\s+/g, ' '))
}
