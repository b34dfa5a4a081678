/** Whether a program that a setting names can be run. */
import { statSync } from 'node:fs'
import { isExecutable } from '../system/privilege.ts'
import { PROGRAM_PATH } from './environment.ts'

/** By the search path that programs get. @returns why there is none. */
export function whyMissing(program: string): string | undefined {
  const paths = program.includes('/') ? [program] : PROGRAM_PATH.split(':').map((folder) => `${folder}/${program}`)
  if (paths.some((path) => isExecutable(path) && !isFolder(path))) return undefined
  return program.includes('/')
    ? 'there is no such file, or it is not executable'
    : `there is no such program in ${PROGRAM_PATH}`
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
