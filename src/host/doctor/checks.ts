/**
 * All checks, in the order in which they are told. A new one is a file in `checks/`, a line here, and a row in
 * docs/DOCTOR.md.
 */
import type { Check } from './check.ts'
import { clock, clockBattery, peerClock, serverClock } from './checks/clock.ts'
import { config } from './checks/config.ts'
import { disk } from './checks/disk.ts'
import { hostRules, notrack } from './checks/host-rules.ts'
import { keys } from './checks/keys.ts'
import { legacyTables } from './checks/legacy-tables.ts'
import { twoManagers } from './checks/managers.ts'
import { node } from './checks/node.ts'
import { permissions } from './checks/permissions.ts'
import { running } from './checks/running.ts'
import { unit } from './checks/unit.ts'

export const checks: readonly Check[] = [
  config,
  permissions,
  unit,
  running,
  hostRules,
  twoManagers,
  legacyTables,
  notrack,
  clock,
  peerClock,
  serverClock,
  clockBattery,
  keys,
  disk,
  node,
]
