/**
 * All checks, in the order in which they are told. A new one is a file in `checks/`, a line here, and a row in
 * docs/DOCTOR.md.
 */
import type { Check } from './check.ts'
import { capture } from './checks/capture.ts'
import { clientConfig } from './checks/client-config.ts'
import { clientKeyAge } from './checks/client-key-age.ts'
import { clientKeys } from './checks/client-keys.ts'
import { clock, clockBattery, peerClock, serverClock } from './checks/clock.ts'
import { config } from './checks/config.ts'
import { deadMan } from './checks/dead-man.ts'
import { disk } from './checks/disk.ts'
import { dns } from './checks/dns.ts'
import { dockerPorts } from './checks/docker.ts'
import { hostRules, notrack } from './checks/host-rules.ts'
import { interfaces } from './checks/interfaces.ts'
import { ipv6Hole } from './checks/ipv6-hole.ts'
import { keys } from './checks/keys.ts'
import { legacyTables } from './checks/legacy-tables.ts'
import { twoManagers } from './checks/managers.ts'
import { node } from './checks/node.ts'
import { oldKeys } from './checks/old-keys.ts'
import { otherUnits } from './checks/other-units.ts'
import { ownAddress } from './checks/own-address.ts'
import { permissions } from './checks/permissions.ts'
import { policy } from './checks/policy.ts'
import { running } from './checks/running.ts'
import { savedTables } from './checks/saved-tables.ts'
import { sshPenalties } from './checks/ssh-penalties.ts'
import { tableOwner } from './checks/table-owner.ts'
import { unit } from './checks/unit.ts'

export const checks: readonly Check[] = [
  config,
  permissions,
  unit,
  otherUnits,
  deadMan,
  running,
  capture,
  interfaces,
  hostRules,
  policy,
  savedTables,
  tableOwner,
  ipv6Hole,
  twoManagers,
  legacyTables,
  notrack,
  dockerPorts,
  clock,
  peerClock,
  serverClock,
  clientConfig,
  clientKeys,
  clientKeyAge,
  dns,
  ownAddress,
  clockBattery,
  keys,
  oldKeys,
  disk,
  node,
  sshPenalties,
]
