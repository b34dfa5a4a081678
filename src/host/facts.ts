/** All facts about this host, by name. A new one is a file in `facts/` and a line here. */
import { lookAtClock, lookAtHardwareClock } from './facts/clock.ts'
import { lookAtDistribution } from './facts/distribution.ts'
import { lookAtFwknop } from './facts/fwknop.ts'
import { lookAtInterfaces } from './facts/interfaces.ts'
import { lookAtKernel, lookAtNft, lookAtOwnedTables } from './facts/kernel.ts'
import { lookAtListening } from './facts/listening.ts'
import { lookAtManagers } from './facts/managers.ts'
import { lookAtOwnState } from './facts/own-state.ts'
import { lookAtSession } from './facts/session.ts'
import { lookAtSshd } from './facts/sshd.ts'
import { lookAtSystemd, lookAtUnits } from './facts/systemd.ts'
import type { Looker } from './looker.ts'

const looks = {
  distribution: lookAtDistribution,
  systemd: lookAtSystemd,
  units: lookAtUnits,
  kernel: lookAtKernel,
  nft: lookAtNft,
  ownedTables: lookAtOwnedTables,
  interfaces: lookAtInterfaces,
  listening: lookAtListening,
  sshd: lookAtSshd,
  managers: lookAtManagers,
  session: lookAtSession,
  clock: lookAtClock,
  hardwareClock: lookAtHardwareClock,
  fwknop: lookAtFwknop,
  ownState: lookAtOwnState,
} as const satisfies Readonly<Record<string, (looker: Looker) => unknown>>

export type FactName = keyof typeof looks
export const factNames = Object.keys(looks) as readonly FactName[]

/** Each fact is known, or says why it is not. */
export type HostFacts = { readonly [Name in FactName]: Awaited<ReturnType<(typeof looks)[Name]>> }

/** Looks at the named facts. A program that several of them need is run once. */
export async function lookAtFacts<Name extends FactName>(
  looker: Looker,
  names: readonly Name[],
): Promise<Pick<HostFacts, Name>> {
  const found = await Promise.all(names.map(async (name) => [name, await looks[name](looker)] as const))
  return Object.fromEntries(found) as Pick<HostFacts, Name>
}
