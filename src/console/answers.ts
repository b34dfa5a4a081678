/** Answers of the console: its refusals, with a word for programs and a sentence for people. */
import type { FailureCode } from '../failure-codes.ts'
import { type HttpReply, jsonReply } from '../http-server/route.ts'
import type { Failure } from '../result.ts'

/** Refusals of the console itself (docs/CONSOLE.md § When something is refused). */
export type ConsoleWord =
  | 'SESSION_ENDED'
  | 'ROLE_TOO_LOW'
  | 'LOGIN_REFUSED'
  | 'TOTP_NEEDED'
  | 'STEP_UP_NEEDED'
  | 'STEP_UP_REFUSED'
  | 'NO_SECOND_FACTOR'
  | 'ENROL_TIME_OVER'
  | 'TOTP_WRONG'
  | 'PASSKEY_REFUSED'
  | 'METRICS_REFUSED'
  | 'TOO_MANY'
  | 'SERVER_AWAY'

export function refusal(
  status: number,
  code: ConsoleWord | FailureCode,
  detail: string,
  suggestion?: string,
): HttpReply {
  return jsonReply(status, { code, detail, ...(suggestion !== undefined && { suggestion }) })
}

/** What the server refuses, and what it could not be asked. */
export function failureReply({ code, detail, suggestion }: Failure): HttpReply {
  if (code === 'STATUS_UNAVAILABLE') return refusal(503, 'SERVER_AWAY', detail)
  if (code === 'VALUE_INVALID') return refusal(400, code, detail, suggestion)
  if (code === 'USER_UNKNOWN' || code === 'REVOKE_UNKNOWN') return refusal(404, code, detail, suggestion)
  return refusal(409, code, detail, suggestion)
}

export const sessionEnded = (): HttpReply =>
  refusal(401, 'SESSION_ENDED', 'You are not logged in, or your session has ended. Log in again.')
