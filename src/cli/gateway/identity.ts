/** Whom the gateway becomes, where root starts it. */
import { readFileSync } from 'node:fs'
import { type Failure, ok, type Result } from '../../result.ts'
import type { Identity } from '../../system/become.ts'
import { findAccount } from '../../system/privilege.ts'

/** @returns undefined for a process that is not root, and stays who it is. */
export function gatewayIdentity(user: string): Result<Identity | undefined, Failure> {
  if (process.geteuid?.() !== 0) return ok(undefined)
  return findAccount(readFileSync('/etc/passwd', 'utf8'), user)
}
