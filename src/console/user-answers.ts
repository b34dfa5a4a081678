/** What commands of the server print (users, invitations, policy, doctor, audit log), as the page shows it. Pure. */
import { jsonLine } from '../bytes/text.ts'
import type { Grants } from './grants.ts'

type Fields = Readonly<Record<string, unknown>>

/** STATE of `ghostport user list` → what the page shows. `old keys` and `invited` can knock. */
const STATES: Readonly<Record<string, 'on' | 'off' | 'ended'>> = {
  active: 'on',
  'old keys': 'on',
  invited: 'on',
  disabled: 'off',
  'no usable key': 'off',
  expired: 'ended',
}

/**
 * @param listed what `user list --json` prints.
 * @param invited what `invite list --json` prints; undefined: it was not asked.
 */
export function usersAnswer(listed: unknown, invited: unknown, grants: Grants): object {
  const open = new Map<string, number>()
  for (const { name } of grants.values()) if (name !== undefined) open.set(name, (open.get(name) ?? 0) + 1)
  const invitations = new Map(listOf(invited, 'invitations').map((one) => [String(one['user']), one]))
  const users = listOf(listed, 'users').map((user) => {
    const name = typeof user['name'] === 'string' ? user['name'] : ''
    const knock = fieldsOf(user['lastKnock'])
    return {
      name,
      stanza: user['stanza'],
      state: STATES[String(user['state'])] ?? 'off',
      oldKeysOf: user['oldKeysOf'] ?? null,
      opens: Array.isArray(user['open']) ? user['open'] : ['any port'],
      source: user['source'] ?? null,
      expires: timeOf(user['expires']),
      lastKnock:
        knock === undefined
          ? null
          : { at: knock['time'], from: knock['source'], ...(knock['code'] !== undefined && { code: knock['code'] }) },
      openGrants: open.get(name) ?? 0,
      invitation: invitationOf(invitations.get(name)),
    }
  })
  return { users }
}

function invitationOf(row: Fields | undefined): object | null {
  if (row === undefined) return null
  const { form, state, until } = row
  const claim = fieldsOf(row['claim'])
  // Not the digits of the device: who confirms gets them from the person, and from nobody else.
  const told = claim && { at: timeOf(claim['at']), from: claim['from'] ?? null }
  return { form, state, until: timeOf(until), ...(told !== undefined && { claim: told }) }
}

/** What `user add` or `user rotate` prints, with --show-secrets. Shown once, and kept nowhere. */
export function newKeysAnswer(name: string, value: unknown): object {
  const fields = fieldsOf(value) ?? {}
  return { name, profile: fields['profile'], stanza: fields['fwknoprc'], until: timeOf(fields['oldKeysUntil']) }
}

export function invitationAnswer(name: string, value: unknown): object {
  const fields = fieldsOf(value) ?? {}
  return { name, link: fields['link'], until: timeOf(fields['until']) }
}

/** What `user disable`, `enable` or `remove` prints. */
export function changedUserAnswer(value: unknown): object {
  const grants = fieldsOf(fieldsOf(value)?.['ended'])?.['grants']
  return { done: true, closed: typeof grants === 'number' ? grants : 0 }
}

export function policyAnswer(value: unknown): object {
  const fields = fieldsOf(value) ?? {}
  return {
    stanzas: [],
    ...fieldsOf(fields['policy']),
    errors: fields['errors'] ?? [],
    notices: fields['notices'] ?? [],
  }
}

const LEVELS: Readonly<Record<string, string>> = { error: 'fault', warning: 'warning', hint: 'hint' }

/** What `doctor --json` prints. */
export function doctorAnswer(value: unknown, now: Date): object {
  const findings = listOf(value, 'checks').flatMap((check): object[] => {
    const name = check['code']
    if (check['answer'] === 'good') return [{ level: 'ok', name, text: seenText(check['seen'], check['question']) }]
    if (check['answer'] !== 'bad')
      return [{ level: 'not checked', name, text: seenText(check['because'], check['question']) }]
    return listOf(check, 'findings').map((finding) => {
      const cure = finding['command'] ?? finding['advice']
      const level = LEVELS[String(finding['severity'])] ?? 'warning'
      return { level, name, text: finding['text'], ...(typeof cure === 'string' && { cure }) }
    })
  })
  return { findings, at: now.toISOString() }
}

function seenText(seen: unknown, question: unknown): string {
  if (typeof seen === 'string' && seen !== '') return seen
  return seen === null || seen === undefined ? String(question) : jsonLine(seen)
}

/** Newest first. @param before the number of the line that comes after these. */
export function auditAnswer(value: unknown, before: number, limit: number): object {
  const entries = listOf(value, 'entries').filter(({ seq }) => typeof seq === 'number' && seq < before)
  const page = entries.slice(-limit).reverse()
  const findings = fieldsOf(fieldsOf(value)?.['verified'])?.['findings']
  return {
    entries: page,
    next: entries.length > limit ? (page.at(-1)?.['seq'] ?? null) : null,
    whole: Array.isArray(findings) && findings.length === 0,
  }
}

function listOf(value: unknown, name: string): readonly Fields[] {
  const list = fieldsOf(value)?.[name]
  return Array.isArray(list) ? list.flatMap((one): readonly Fields[] => [fieldsOf(one) ?? {}]) : []
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

/** @param seconds Unix time. */
function timeOf(seconds: unknown): string | null {
  return typeof seconds === 'number' ? new Date(seconds * 1000).toISOString() : null
}
