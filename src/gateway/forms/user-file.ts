/** The users of the forms, in a file of the state folder. It is read for each question: a command may change it. */
import { jsonLine } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { StateFailure, StateFolder } from '../../system/state-folder.ts'
import { type FormUser, readUsers } from './form-user.ts'

const FILE = 'form-users.json'
/** The file itself is replaced with each change, and so cannot be locked. */
const LOCK = 'form-users.lock'

export class FormUserFile {
  readonly #state: StateFolder

  constructor(state: StateFolder) {
    this.#state = state
  }

  read(): Result<readonly FormUser[], StateFailure> {
    const text = this.#state.read(FILE)
    if (!text.ok) return text
    if (text.value === undefined) return ok([])
    try {
      const users = readUsers(JSON.parse(text.value))
      if (users !== undefined) return ok(users.users)
    } catch {
      // Told below.
    }
    return refuse(
      'CONFIG_UNREADABLE',
      `${this.#state.path}/${FILE} is damaged: restore it, or remove it and add its users again`,
    )
  }

  write(users: readonly FormUser[]): Result<void, StateFailure> {
    return this.#state.write(FILE, `${jsonLine({ users })}\n`)
  }

  find(name: string): FormUser | undefined {
    const users = this.read()
    return users.ok ? users.value.find((user) => user.name === name) : undefined
  }

  /**
   * Reads, changes and writes in one step: no other process comes between, such as a second gateway or a command.
   * @param edit gets the users as they are now. Its failure changes nothing.
   */
  async change<F extends Failure>(
    edit: (users: readonly FormUser[]) => Result<readonly FormUser[], F>,
  ): Promise<Result<void, F | StateFailure>> {
    const lock = await this.#state.lock(LOCK)
    if (!lock.ok) return lock
    try {
      const users = this.read()
      if (!users.ok) return users
      const changed = edit(users.value)
      return changed.ok ? this.write(changed.value) : changed
    } finally {
      lock.value()
    }
  }
}
