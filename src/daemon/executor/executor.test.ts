import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { CommandRule } from '../../access/command.ts'
import type { CycleRule } from '../../access/cycle.ts'
import { ruleKey } from '../../access/rule-key.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { ok } from '../../result.ts'
import { port, seconds } from '../../units.ts'
import type { FromExecutor } from '../link/executor-protocol.ts'
import { Executor } from './executor.ts'

test('a holder of one stanza’s key keeps out no other stanza with the same rule', { timeout: 20_000 }, async () => {
  const rule: CommandRule = { runAs: {} }
  const key = ruleKey(rule)
  let done = (_message: FromExecutor): void => {}
  const first = new Promise<FromExecutor>((resolve) => {
    done = resolve
  })
  const executor = new Executor({
    readRules: () =>
      ok({
        settings: { sudo: '/usr/bin/sudo', timeout: seconds(30) },
        commands: new Map([[key, rule]]),
        cycles: new Map(),
        hooks: undefined,
        ledger: '/nowhere',
      }),
    send: (message) => {
      if (message.type === 'ended') done(message)
    },
    ...{ setpriv: undefined, mayChangeUser: true, clock: systemClock, sinceBoot: () => performance.now(), boot: 'b' },
    ...{ onIdle: () => {}, exists: () => false },
  })
  executor.configure()
  const run = (job: number, stanza: string, command: string): void => {
    const address = '10.0.0.1' as IpAddress
    const about = { source: address, packetSource: address, username: 'u' as Username }
    executor.take({ type: 'command', job, rule: key, command, facts: { ...about, stanza: stanza as StanzaName } })
  }
  for (let job = 1; job <= 8; job++) run(job, 'noisy', 'sleep 10')
  run(9, 'quiet', 'echo mine')
  const ended = await first
  assert(ended.type === 'ended')
  assert.deepEqual([ended.job, ended.report.how, ended.report.output], [9, 'exit', 'mine\n'])
  await executor.stop()
})

test('close commands that hang keep back no close of another stanza', { timeout: 30_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-executor-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const rule = (close: string): CycleRule => ({
    open: [['/bin/true']],
    close: [['/bin/sleep'], [close]],
    timer: seconds(1),
    runAs: {},
  })
  const rules = { noisy: rule('20'), quiet: rule('0.01') }
  const closed: string[] = []
  const executor = new Executor({
    readRules: () =>
      ok({
        settings: { sudo: '/usr/bin/sudo', timeout: seconds(30) },
        commands: new Map(),
        cycles: new Map(Object.values(rules).map((one) => [ruleKey(one), one])),
        hooks: undefined,
        ledger: join(folder, 'owed'),
      }),
    send: (message) => {
      if (message.type === 'cycle' && message.news.what === 'closed') closed.push(message.news.about.stanza)
    },
    ...{ setpriv: undefined, mayChangeUser: true, clock: systemClock, sinceBoot: () => performance.now(), boot: 'b' },
    ...{ onIdle: () => {}, exists: () => true },
  })
  executor.configure()
  const open = (job: number, stanza: keyof typeof rules): void => {
    const address = '10.0.0.1' as IpAddress
    const about = { source: address, packetSource: address, username: 'u' as Username, stanza: stanza as StanzaName }
    const facts = { ...about, seconds: seconds(1), port: { protocol: 'tcp', port: port(job) } } as const
    executor.take({ type: 'cycle', job, rule: ruleKey(rules[stanza]), facts })
  }
  for (let job = 1; job <= 40; job++) open(job, 'noisy')
  await delay(2500)
  open(41, 'quiet')
  const begun = performance.now()
  while (closed.length === 0 && performance.now() - begun < 12_000) await delay(50)
  assert.deepEqual(closed, ['quiet'])
  await executor.stop()
})
