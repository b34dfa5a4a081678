/**
 * A newcomer who follows a document word for word: on the server in one ssh session, on the client in a home of their
 * own.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readDocument, type Section, type Step, section } from './documents.ts'
import type { HostLab, Session } from './host-lab.ts'

/** What a reader replaces in the document: the timer’s minutes, the name of the firewall. */
export type Instead = Readonly<Record<string, string>>

const INIT_LOG = '/root/init.log'

export class Road {
  readonly #lab: HostLab
  readonly #sections: readonly Section[]
  /** The half for the client. */
  #printed = ''
  /** The session on the server; after a reboot, it must log in again. */
  session: Session

  /** @param documents whose sections are walked. */
  static async begin(lab: HostLab, ...documents: readonly string[]): Promise<Road> {
    return new Road(lab, await lab.login(), documents.flatMap(readDocument))
  }

  private constructor(lab: HostLab, session: Session, sections: readonly Section[]) {
    this.#lab = lab
    this.session = session
    this.#sections = sections
  }

  /** Does all steps of the section with this title, in order. */
  async walk(title: string, instead: Instead = {}): Promise<void> {
    const { steps } = section(this.#sections, title)
    assert.ok(steps.length > 0, `“${title}” says nothing to do`)
    for (const word of Object.keys(instead))
      assert.ok(
        steps.some((step) => step.kind !== 'file' && step.command.includes(word)),
        `“${word}” is not in “${title}”`,
      )
    for (const step of steps) await this.#do(step, instead)
  }

  /** Waits until no grant is live: an earlier grant must not be taken for a new one. */
  async grantsEnd(): Promise<void> {
    for (let tries = 0; tries < 60; tries++) {
      const { grants } = JSON.parse(await this.session.must('ghostport status --json')) as {
        readonly grants: unknown[]
      }
      if (grants.length === 0) return
      await delay(1000)
    }
    assert.fail('a grant of thirty seconds lives for a minute')
  }

  async #do(step: Step, instead: Instead): Promise<void> {
    if (step.kind === 'file') {
      await this.#write(step.path, step.text)
      return
    }
    const command = Object.entries(instead).reduce((text, [word, other]) => text.replaceAll(word, other), step.command)
    const said = await this.#type(step.kind, command)
    if (command.includes('keygen --pair') || command.startsWith('ghostport init')) this.#printed = said
    // The reader goes on in that session. The test's own login has the same grant, unless that is for a ghost service.
    if (/^ghostport ssh /.test(command) && (await this.#lab.ssh())) this.session = await this.#lab.login()
    const lines = new Set(said.split('\n').map(comparable))
    for (const line of step.prints)
      assert.ok(lines.has(comparable(line)), `${command}\nis documented to print\n${line}\nbut prints\n${said}`)
  }

  /** As a person does: who answers questions, opens a second window, and stays logged in for a moment. */
  async #type(where: 'server' | 'client', command: string): Promise<string> {
    if (where === 'client') return this.#lab.must(/^ssh \w+$/.test(command) ? `${command} sleep 3` : command)
    if (!command.startsWith('ghostport init')) return await this.session.must(command)
    // The usual answers to the two questions, then yes. script(1) is the terminal.
    await this.session.must(
      `{ printf '\\n\\ny\\n'; sleep 400; } | script -qfec '${command}' ${INIT_LOG} >/dev/null 2>&1 &`,
    )
    return await this.initSays('The ports are shut')
  }

  /** What `ghostport init` has printed in its window, as soon as this is in it. */
  async initSays(wanted: string): Promise<string> {
    for (let tries = 0; tries < 600; tries++) {
      const said = this.#lab.console(`cat ${INIT_LOG}`).stdout.replaceAll('\r', '')
      if (said.includes(wanted)) return said
      await delay(100)
    }
    return assert.fail(`init does not say “${wanted}”\n${this.#lab.console(`cat ${INIT_LOG}`).stdout}`)
  }

  /**
   * The client’s files are below its home. Settings are merged into a settings file; any other text is the whole file.
   */
  async #write(path: string, text: string): Promise<void> {
    const local = path.startsWith('~/') ? join(this.#lab.home, path.slice(2)) : undefined
    const before =
      local === undefined
        ? (await this.session.run(`cat ${path}`)).stdout
        : existsSync(local)
          ? readFileSync(local, 'utf8')
          : ''
    const after = /fwknop/.test(path) ? withSettings(before, this.#withKeys(text)) : text
    if (local !== undefined) {
      mkdirSync(dirname(local), { recursive: true, mode: 0o700 })
      writeFileSync(local, after, { mode: 0o600 })
    } else await this.session.must(`cat > ${path} <<'END-OF-FILE'\n${after}END-OF-FILE`)
  }

  /** The keys of a document are examples; the reader has those that `keygen` printed. */
  #withKeys(text: string): string {
    if (!/^KEY_BASE64/m.test(text)) return text
    const keys = this.#printed.match(/^(HMAC_)?KEY_BASE64 .*$/gm)?.slice(-2) ?? []
    assert.equal(keys.length, 2, `no two keys were printed\n${this.#printed}`)
    return `${text.replace(/^(HMAC_)?KEY_BASE64.*\n/gm, '')}${keys.join('\n')}\n`
  }
}

/** Each setting replaces its line, or is added at the end. */
function withSettings(before: string, wanted: string): string {
  let text = before.trim() === '' ? '' : `${before.trim()}\n`
  for (const line of wanted.split('\n').filter((each) => each !== '')) {
    const [name = ''] = line.split(/\s+/)
    const old = new RegExp(`^${name.replace(/[[\]]/g, '\\$&')}(\\s.*)?$`, 'm')
    text = old.test(text) ? text.replace(old, line) : `${text}${line}\n`
  }
  return text
}

/** Numbers and keys differ each time. Where the kernel can give a table an owner, `ghostport status` says so. */
function comparable(line: string): string {
  return line
    .trim()
    .replace(/[A-Za-z0-9+/]{30,}=*/g, 'KEY')
    .replace(/user \w+$/, 'user NAME')
    .replace(/\bg:[0-9a-f]{8}\b/g, 'g:ID')
    .replace(' (no other program can change its table)', '')
    .replace(/[0-9]+(\.[0-9]+)?/g, '0')
}
