/** What the console changes, while something else changes it too. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Grant, grantId, type Opening } from '../../../access/grant.ts'
import type { Stanza } from '../../../access/stanza.ts'
import type { AuditEvent } from '../../../audit-log/entry.ts'
import { systemClock } from '../../../clock.ts'
import { parseAccessConf } from '../../../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../../../config/reading/config-files.ts'
import { createMemoryFirewall } from '../../../firewall/memory.ts'
import { parseAddress } from '../../../packet/address.ts'
import { parseUsername } from '../../../packet/username.ts'
import { ok } from '../../../result.ts'
import { type Port, seconds } from '../../../units.ts'
import { grantTag } from '../revoke-target.ts'
import { Desk, type DeskParts } from './desk.ts'
import { EventRing } from './event-ring.ts'

const ACCESS = 'SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/22\nFW_ACCESS_TIMEOUT 30\nMAX_FW_TIMEOUT 300\n'

/** A desk with one live grant of 30 seconds, asked to extend it while its line is written to the audit log. */
async function extendWhile(happens: (it: { end: () => Promise<unknown>; remove: () => void }) => unknown) {
  const parsed = parseAccessConf(
    'access.conf',
    filesFromSnapshot({ texts: { 'access.conf': ACCESS }, folders: {}, failures: {} }),
  )
  assert.ok(parsed.ok, JSON.stringify(parsed))
  let stanzas: readonly Stanza[] = parsed.value.stanzas
  const [stanza] = stanzas
  const [source, username] = [parseAddress('192.0.2.1'), parseUsername('ada')]
  assert(stanza !== undefined && source.ok && username.ok)
  const openings: readonly Opening[] = [{ kind: 'access', protocol: 'tcp', port: 22 as Port }]
  const grant: Grant = {
    ...{ id: grantId(source.value, openings), stanza: stanza.id, source: source.value, firstHand: true },
    ...{ openings, lifetime: seconds(30), username: username.value },
  }
  const firewall = createMemoryFirewall()
  await firewall.install()
  await firewall.open([grant])
  const lines: AuditEvent[] = []
  const log = { write: () => {} }
  const desk = new Desk({
    ...{ status: async () => ({}), uses: () => ({}), events: new EventRing(log) },
    ...{ revoke: async () => ({}), reload: async () => ({}), firewall, stanzas: () => stanzas },
    record: async (event) => {
      lines.push(event)
      await happens({ end: () => firewall.revoke([grant.id]), remove: () => (stanzas = []) })
      return ok(undefined)
    },
    ...{ commands: {} as DeskParts['commands'], source: { server: '/etc/fwknop/fwknopd.conf' } },
    ...{ rights: () => ['extend'], clock: systemClock, uid: 0 },
  })
  const asked = { ask: 'extend', grant: grantTag(grant.id), seconds: seconds(200), by: { name: 'ada' } } as never
  const answer = await desk.answer(asked, new AbortController().signal)
  const live = await firewall.grants()
  assert.ok(live.ok)
  return { answer, lines, remaining: live.value.map(({ remaining }) => remaining) }
}

it('a grant that goes on has a line in the audit log first', async () => {
  const { answer, lines, remaining } = await extendWhile(() => {})
  assert.equal(answer.done, true, JSON.stringify(answer))
  assert.deepEqual(
    lines.map(({ did, after }) => [did, after]),
    [['extend', ['200 s left']]],
  )
  assert.ok((remaining[0] ?? 0) > 100_000)
})

it('a grant that is revoked meanwhile does not open again', async () => {
  const { answer, remaining } = await extendWhile(({ end }) => end())
  assert.equal(answer.done, false)
  assert.deepEqual(remaining, [])
})

it('a grant whose stanza is removed meanwhile does not go on', async () => {
  const { answer, remaining } = await extendWhile(({ remove }) => remove())
  assert.equal(answer.done, false)
  assert.ok((remaining[0] ?? 0) <= 30_000)
})
