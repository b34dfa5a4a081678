/**
 * What the doctor looks at: the facts about this host, and what only a server or a client has. Each is looked at once,
 * and only if a check needs it.
 */
import { unixSeconds } from '../../units.ts'
import { type FactName, factNames, type HostFacts, lookAtFacts } from '../facts.ts'
import { lookAtCapture } from './looks/capture-probe.ts'
import { lookAtClientStanzas } from './looks/client-stanzas.ts'
import { lookAtConfiguration } from './looks/configuration.ts'
import { lookAtDeadMan } from './looks/dead-man.ts'
import { lookAtHostRules } from './looks/host-rules.ts'
import { lookAtKeyUses } from './looks/key-uses.ts'
import { lookAtNode } from './looks/node.ts'
import { lookAtPolicyUnit } from './looks/policy-unit.ts'
import { lookAtReplaySpace } from './looks/replay-space.ts'
import { lookAtSavedTables } from './looks/saved-tables.ts'
import { lookAtServers } from './looks/servers.ts'
import { lookAtServiceStart } from './looks/service-start.ts'
import { lookAtSshGreeting } from './looks/ssh-greeting.ts'
import { lookAtStatus } from './looks/status.ts'
import { lookAtTableOwner } from './looks/table-owner.ts'
import { lookAtUnitFile } from './looks/unit-file.ts'
import type { Subject } from './subject.ts'

const looks = {
  configuration: lookAtConfiguration,
  status: lookAtStatus,
  keyUses: lookAtKeyUses,
  today: (subject: Subject) => unixSeconds(Math.floor(subject.now / 1000)),
  hostRules: lookAtHostRules,
  unitFile: lookAtUnitFile,
  replaySpace: lookAtReplaySpace,
  node: lookAtNode,
  captureProbe: lookAtCapture,
  sshGreeting: lookAtSshGreeting,
  tableOwner: lookAtTableOwner,
  clientStanzas: lookAtClientStanzas,
  servers: lookAtServers,
  serviceStart: lookAtServiceStart,
  deadMan: lookAtDeadMan,
  policyUnit: lookAtPolicyUnit,
  savedTables: lookAtSavedTables,
} as const satisfies Readonly<Record<string, (subject: Subject) => unknown>>

type OwnFacts = { readonly [Name in keyof typeof looks]: Awaited<ReturnType<(typeof looks)[Name]>> }
export type DoctorFacts = HostFacts & OwnFacts
export type DoctorFactName = keyof DoctorFacts

/** Looks at the named facts, each once. */
export async function lookAtSubject(
  subject: Subject,
  names: ReadonlySet<DoctorFactName>,
): Promise<Partial<DoctorFacts>> {
  const ofHost = factNames.filter((name) => names.has(name))
  const own = (Object.keys(looks) as (keyof OwnFacts)[]).filter((name) => names.has(name))
  const [host, others] = await Promise.all([
    lookAtFacts(subject.looker, ofHost as readonly FactName[]),
    Promise.all(own.map(async (name) => [name, await looks[name](subject)] as const)),
  ])
  return { ...host, ...(Object.fromEntries(others) as Partial<OwnFacts>) }
}
