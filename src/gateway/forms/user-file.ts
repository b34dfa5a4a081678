/** The users of the forms, in a file of the state folder. It is read for each question: a command may change it. */
import { jsonLine } from '../../bytes/text.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { StateFailure, StateFolder } from '../../system/state-folder.ts'
import { type FormUser, readUsers } from './form-user.ts'

const FILE = 'form-users.json'

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

  /** @returns false if the user is not as it was: somebody else changed it meanwhile. */
  replace(before: FormUser, after: FormUser): boolean {
    const users = this.read()
    if (!users.ok) return false
    const at = users.value.findIndex(({ name, sealed }) => name === before.name && sealed === before.sealed)
    return at >= 0 && this.write(users.value.with(at, after)).ok
  }
}
