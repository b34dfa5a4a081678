/** `ghostport invite list`: what waits, what was used, and which users are not confirmed. */
import { systemClock } from '../../clock.ts'
import { invitationsFolder } from '../../config/server/server-config.ts'
import { listInvitations } from '../../invitations/store.ts'
import type { UnixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { configFiles } from '../server/config-source.ts'
import { describeFailure, type Terminal } from '../terminal/terminal.ts'
import { readAccess } from '../user/access-files.ts'
import { inColumns } from '../user/list-users.ts'
import { askUses } from '../user/tell-server.ts'
import type { AtGateway } from './ask-gateway.ts'
import { askGateways, type ShownState, shownState } from './at-gateways.ts'
import type { Given } from './options.ts'

interface Row {
  readonly user: string
  /** `gateway`: a link that is claimed in a browser. */
  readonly form: 'link' | 'file' | 'gateway'
  /** `not confirmed`: a file was handed out, and its keys end. `ended`: nobody used it in time. */
  readonly state: ShownState | 'not confirmed'
  readonly until: UnixSeconds
  /** The last knock with these keys, as far as the running server knows. */
  readonly lastKnock: { readonly time: string; readonly source: string; readonly code?: string } | null
  /**
   * Who claimed, by the gateway’s word. Without the digits: who has them from here, as a program, could confirm a
   * device that nobody compared.
   */
  readonly claim: { readonly at: UnixSeconds; readonly from: string | null } | null
}

function claimIn(at: AtGateway | undefined): Row['claim'] {
  if (at === undefined || !('device' in at)) return null
  return { at: at.at, from: at.from ?? null }
}

export async function listAll(given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  if (!access.ok) return access
  const { server, users } = access.value
  const now = systemClock.now()
  const kept = listInvitations(invitationsFolder(server), now)
  if (!kept.ok) return kept
  const { known, problems } = await askGateways(kept.value, given, access.value.source.server)
  const told = await askUses(server.controlSocket)
  const lastKnock = (user: string) => told?.uses[user] ?? null
  const rows: readonly Row[] = [
    ...kept.value.map((one): Row => {
      const at = one.gateway === undefined ? undefined : known.get(one.gateway.id)
      const form = one.gateway === undefined ? 'link' : 'gateway'
      const state = one.gateway === undefined ? one.state : shownState(one, at, now)
      return {
        ...{ user: one.user, form, state, until: one.until },
        lastKnock: lastKnock(one.user),
        claim: claimIn(at),
      }
    }),
    ...users.flatMap(({ name, stanza, isInvited }) =>
      isInvited && name !== undefined && stanza?.expires !== undefined
        ? [
            {
              ...({ user: name, form: 'file', state: stanza.expires <= now ? 'ended' : 'not confirmed' } as const),
              ...{ until: stanza.expires, lastKnock: lastKnock(name), claim: null },
            },
          ]
        : [],
    ),
  ]
  if (given.json > 0) {
    const gateways = problems.map(({ code, detail }) => ({ code, detail }))
    terminal.printJson({ invitations: rows, usesSince: told?.since ?? null, problems: gateways })
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
  for (const { user, state, claim } of rows) {
    // Without the digits: who copies them from here has compared nothing.
    if (state === 'claimed' && claim !== null)
      terminal.note(
        `${user}: claimed at ${new Date(claim.at * 1000).toISOString().replace('.000Z', 'Z')} from ${claim.from ?? 'an unknown address'}, as the gateway says. Ask the person for the 16 digits, then: ghostport invite confirm ${user}`,
      )
    if (state === 'forged')
      terminal.note(
        `${user}: the gateway shows a claim that was made without the secret: ghostport invite cancel ${user}`,
      )
  }
  for (const problem of problems) terminal.note(`what was claimed is not known: ${describeFailure(problem)}`)
  if (rows.some(({ form, state }) => form === 'link' && state === 'ended'))
    terminal.note('nobody has the keys of a link that ended: “ghostport invite cancel NAME” removes the user')
  if (rows.some(({ form }) => form === 'file'))
    terminal.note('“ghostport invite confirm NAME” lets a user of a file stay; “cancel NAME” removes the user')
  return 0
}
