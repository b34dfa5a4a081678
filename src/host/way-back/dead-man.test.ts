import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seconds, type UnixSeconds } from '../../units.ts'
import { parseArmed } from './arm.ts'
import { calendar, deadManUnits } from './dead-man.ts'

const plan = {
  end: 1_795_651_200 as UnixSeconds,
  within: seconds(300),
  script: '/var/lib/ghostport/way-back/undo.sh',
  pending: '/var/lib/ghostport/way-back/pending',
}

test('the end is an absolute time in UTC', () => {
  assert.equal(calendar(plan.end), '2026-11-26 00:00:00 UTC')
})

test('the timer has an absolute end, and a second one for a clock that is set back', () => {
  const timer = deadManUnits(plan)['ghostport-undo.timer']
  assert.match(timer, /^OnCalendar=2026-11-26 00:00:00 UTC$/m)
  assert.match(timer, /^OnActiveSec=300s$/m)
  assert.match(timer, /^AccuracySec=1s$/m)
})

test('both services need no Node.js, and do nothing once the changes are confirmed', () => {
  const units = deadManUnits(plan)
  for (const name of ['ghostport-undo.service', 'ghostport-undo-boot.service'] as const) {
    assert.match(units[name], /^ExecStart=\/bin\/sh \/var\/lib\/ghostport\/way-back\/undo\.sh$/m)
    assert.match(units[name], /^ConditionPathExists=\/var\/lib\/ghostport\/way-back\/pending$/m)
  }
})

test('at boot the changes are taken back before the network is up and before ghostport starts', () => {
  const boot = deadManUnits(plan)['ghostport-undo-boot.service']
  assert.match(
    boot,
    /^Before=network-pre\.target ghostport\.service ghostport-gate\.service ghostport-policy\.service /m,
  )
  assert.match(boot, /^DefaultDependencies=no$/m)
  assert.match(boot, /^WantedBy=sysinit\.target$/m)
})

test('the end is read back as systemd writes it', () => {
  const shown = 'NextElapseUSecRealtime=Thu 2026-11-26 00:00:00 UTC\nActiveState=active\n'
  assert.equal(parseArmed(shown), plan.end)
  for (const text of [
    shown.replace('=active', '=inactive'),
    shown.replace(/=Thu.*/, '=n/a'),
    shown.replace(/=Thu.*/, '='),
    '',
  ])
    assert.equal(parseArmed(text), undefined, text)
})
