/** The program that runs when the port is open. Words and no shell; without a terminal. */
import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import type { IpAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import type { Port } from '../units.ts'
import type { Argv } from './kept-files.ts'

export interface OpenPort {
  readonly address: IpAddress
  readonly port: Port
}

/** @returns the words with `{address}` and `{port}` filled in: an address and a number, which begin no option. */
export function fillIn(argv: Argv, { address, port }: OpenPort): Argv {
  return argv.map((word) => word.replaceAll('{address}', address).replaceAll('{port}', String(port)))
}

export function isSameArgv(one: Argv | undefined, other: Argv): boolean {
  return one !== undefined && one.length === other.length && one.every((word, i) => word === other[i])
}

/** @returns when it runs; it outlives this program. */
export function startProgram(argv: Argv): Promise<Result<void, Failure<'VALUE_INVALID'>>> {
  const [file = '', ...words] = argv
  return new Promise((resolve) => {
    const child = spawn(file, words, { detached: true, stdio: 'ignore', cwd: homedir(), windowsHide: false })
    child.once('error', (error) => {
      const why = errorCode(error) === 'ENOENT' ? 'there is no such program' : systemReason(error)
      resolve(refuse('VALUE_INVALID', `${file} cannot be started: ${why}`))
    })
    child.once('spawn', () => {
      child.unref()
      resolve(ok(undefined))
    })
  })
}
