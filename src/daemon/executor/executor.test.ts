import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandRule } from '../../access/command.ts'
import { ruleKey } from '../../access/rule-key.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { ok } from '../../result.ts'
import { seconds } from '../../units.ts'
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
    ...{ setpriv: undefined, clock: systemClock, sinceBoot: () => performance.now(), boot: 'b' },
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
