import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { seconds, type UnixSeconds } from '../../units.ts'
import { parseArmed, parseMonotonic } from './arm.ts'
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

test('with another clock, systemd makes the same moment of it, or none', () => {
  const end = calendar(plan.end)
  const asked = (base: string, zone = 'UTC'): string => {
    const argv = ['calendar', '--iterations=1', `--base-time=${base}`, end]
    return execFileSync('systemd-analyze', argv, {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', TZ: zone, LC_ALL: 'C' },
    })
  }
  for (const zone of ['UTC', 'America/New_York', 'Asia/Kolkata'])
    assert.match(
      asked('2026-11-25 23:55:00 UTC', zone),
      zone === 'UTC' ? /Next elapse: Thu 2026-11-26 00:00:00 UTC/ : /\(in UTC\): Thu 2026-11-26 00:00:00 UTC/,
    )
  // A clock that is an hour, or years, behind: the calendar alone would be late, and OnActiveSec= is not.
  assert.match(asked('2026-11-25 22:55:00 UTC'), /Next elapse: Thu 2026-11-26 00:00:00 UTC/)
  assert.match(asked('1970-01-02 00:00:00 UTC'), /Next elapse: Thu 2026-11-26 00:00:00 UTC/)
  // One that is ahead: the moment is over.
  assert.match(asked('2026-11-26 00:00:01 UTC'), /Next elapse: never/)
})

test('at boot no clock is asked', () => {
  assert.doesNotMatch(
    deadManUnits(plan)['ghostport-undo-boot.service'],
    /^(On\w+Sec|OnCalendar|Condition(?!PathExists)\w*|After=.*time)/m,
  )
})

test('the end of the monotonic clock is read as busctl writes it', () => {
  assert.equal(parseMonotonic('t 81234567\n'), 81.234567)
  for (const text of ['', 't', 'u 5', 't 5 6', 't x', 's "t 5"']) assert.equal(parseMonotonic(text), 0, text)
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
