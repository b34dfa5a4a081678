/** Asks the running server to end grants, and the connections that they let in. */
import { askControl, NOBODY_THERE, RELOAD_TIME } from '../../daemon/warden/control.ts'
import type { RevokeAnswer, Revoked } from '../../daemon/warden/revocation.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'

export type { Revoked }

/** Nothing is running: no grant can be open for long, and the kernel ends each by itself. */
export function isNotRunning({ code, detail }: Failure): boolean {
  return code === 'STATUS_UNAVAILABLE' && detail.endsWith(NOBODY_THERE)
}

/** Whether all that was asked for has ended. */
export function isAllEnded({ closes, problem }: Pick<Revoked, 'closes' | 'problem'>): boolean {
  return closes.failed + closes.unfinished === 0 && problem === undefined
}

/** Which of the connections that ended may be of others, as a sentence; undefined if none may be. */
export function whatWasShared({ shared, sharedWith }: Pick<Revoked, 'shared' | 'sharedWith'>): string | undefined {
  return shared === 0
    ? undefined
    : `${shared} of these connections may be of ${sharedWith.join(', ')}: the same port was open for the same address, and nothing tells them apart`
}

/** What may be open still, a sentence each. */
export function whatIsLeft({ closes, problem }: Pick<Revoked, 'closes' | 'problem'>): readonly string[] {
  return [
    ...(closes.failed === 0
      ? []
      : [`${closes.failed} close commands of cycles failed, and are not tried again: see the log (event “cycle”)`]),
    ...(closes.unfinished === 0
      ? []
      : [`${closes.unfinished} close commands of cycles still run: “ghostport status” shows which`]),
    ...(problem === undefined ? [] : [problem]),
  ]
}

/**
 * @param socket the path of the control socket.
 * @param word a grant (`g:3f9a2c1b`), the NAME or number of a stanza, or an address. For a stanza that was removed or
 * disabled, first have the server read its files again: else a knock opens again.
 * @returns `REVOKE_UNKNOWN` if there is no such grant or stanza; `STATUS_UNAVAILABLE` if no server answers.
 */
export async function revokeRunning(socket: string, word: string): Promise<Result<Revoked, Failure>> {
  const asked = await askControl(socket, { ask: 'revoke', word }, RELOAD_TIME)
  if (!asked.ok && asked.failure.listens)
    return refuse(
      'STATUS_UNAVAILABLE',
      `${asked.failure.detail}. Nothing is confirmed: the server ends the rest when it starts again`,
      { suggestion: `ghostport revoke ${word}` },
    )
  if (!asked.ok) return asked
  // Our own server, behind a socket that only root can have made.
  const answer = asked.value as RevokeAnswer | { readonly error: string }
  if ('error' in answer)
    return refuse('STATUS_UNAVAILABLE', 'the running server is of an earlier version', {
      suggestion: 'systemctl restart ghostport',
    })
  return 'failure' in answer ? { ok: false, failure: answer.failure } : ok(answer)
}
