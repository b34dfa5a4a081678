/** `ghostport invite list`: what waits, what was used, and which users are not confirmed. */
import { systemClock } from '../../clock.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { listInvitations } from '../../invitations/store.ts'
import type { UnixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { readAccess } from '../user/access-files.ts'
import { inColumns } from '../user/list-users.ts'
import { askUses } from '../user/tell-server.ts'
import type { Given } from './options.ts'

interface Row {
  readonly user: string
  readonly form: 'link' | 'file'
  /** `not confirmed`: a file was handed out, and its keys end. `ended`: nobody used it in time. */
  readonly state: 'open' | 'used' | 'ended' | 'not confirmed'
  readonly until: UnixSeconds
  /** The last knock with these keys, as far as the running server knows. */
  readonly lastKnock: { readonly time: string; readonly source: string; readonly code?: string } | null
}

export async function listAll(given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  if (!access.ok) return access
  const { server, users } = access.value
  const now = systemClock.now()
  const kept = listInvitations(invitationsFolder(server), now)
  if (!kept.ok) return kept
  const told = await askUses(server.controlSocket)
  const lastKnock = (user: string) => told?.uses[user] ?? null
  const rows: readonly Row[] = [
    ...kept.value.map(
      ({ user, state, until }) => ({ user, form: 'link', state, until, lastKnock: lastKnock(user) }) as const,
    ),
    ...users.flatMap(({ name, stanza, isInvited }) =>
      isInvited && name !== undefined && stanza?.expires !== undefined
        ? [
            {
              ...({ user: name, form: 'file', state: stanza.expires <= now ? 'ended' : 'not confirmed' } as const),
              ...{ until: stanza.expires, lastKnock: lastKnock(name) },
            },
          ]
        : [],
    ),
  ]
  if (given.json > 0) {
    terminal.printJson({ invitations: rows, usesSince: told?.since ?? null })
    return 0
  }
  if (rows.length === 0) {
    terminal.print('no invitations: “ghostport invite NAME” makes one')
    return 0
  }
  terminal.print(
    inColumns([
      ['NAME', 'FORM', 'STATE', 'UNTIL', 'LAST KNOCK'],
      ...rows.map(({ user, form, state, until, lastKnock: use }) => [
        ...[user, form, state, new Date(until * 1000).toISOString().replace('.000Z', 'Z')],
        use === null
          ? told === undefined
            ? '?'
            : 'none'
          : `${use.time.replace(/\..*/, 'Z')} from ${use.source}${use.code === undefined ? '' : ` (${use.code})`}`,
      ]),
    ]),
  )
  if (rows.some(({ form, state }) => form === 'link' && state === 'ended'))
    terminal.note('nobody has the keys of a link that ended: “ghostport invite cancel NAME” removes the user')
  if (rows.some(({ form }) => form === 'file'))
    terminal.note('“ghostport invite confirm NAME” lets a user of a file stay; “cancel NAME” removes the user')
  return 0
}
