/**
 * The contracts of every firewall and of those of a kernel, kept by nftables in a real kernel; topology in
 * `../support/firewall-lab.ts`.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type CoexistenceMode, DEFAULT_MARK } from '../../src/config/server/firewall-settings.ts'
import { hostRules } from '../../src/firewall/host/host-rules.ts'
import type { ChangePath } from '../../src/firewall/nftables/library.ts'
import { createNftablesFirewall } from '../../src/firewall/nftables/nftables.ts'
import type { ProtocolPort } from '../../src/packet/message.ts'
import { port } from '../../src/units.ts'
import { type FirewallUnderTest, firewallContract } from '../contract/firewall.ts'
import { type KernelUnderTest, kernelFirewallContract } from '../contract/kernel-firewall.ts'
import { labForContracts, surroundingsIn } from '../support/contract-lab.ts'
import { netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const lab = labForContracts(skip)

/** The administrator's rules before ghostport: everything is dropped except what carries our mark. */
function dropByDefault(): void {
  lab().server.must(['nft', '-f', '-'], {
    input: `table inet filter {
      chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iif lo accept; meta l4proto icmpv6 accept; }
      chain forward { type filter hook forward priority filter; policy drop; }
    }`,
  })
  const chains = (['input', 'forward'] as const).map((chain) => ({ family: 'inet', table: 'filter', chain }) as const)
  for (const { lines } of hostRules({ kind: 'nft', chains }, DEFAULT_MARK)) {
    for (const line of lines) lab().server.must(line.split(' '))
  }
}

function tcp(at: number): ProtocolPort {
  return { protocol: 'tcp', port: port(at) }
}

/**
 * Other pairs of mode and family are in firewall-doors.test.ts, which does not wait for so many lifetimes. Elements
 * have two paths to the kernel; firewall-paths.test.ts compares them.
 */
const gate: CoexistenceMode = { kind: 'gate', protectedPorts: [tcp(22), tcp(25), tcp(80)] }
const subjects: readonly { mode: CoexistenceMode; family: 4 | 6; changes: ChangePath; prepare: () => void }[] = [
  { mode: { kind: 'mark' }, family: 4, changes: 'direct', prepare: dropByDefault },
  { mode: gate, family: 6, changes: 'direct', prepare: () => {} },
  { mode: { kind: 'mark' }, family: 6, changes: 'text', prepare: dropByDefault },
]

for (const { mode, family, changes, prepare } of subjects) {
  const surroundings = surroundingsIn(lab, family)
  const make = async ({ maxGrants }: { maxGrants: number }): Promise<FirewallUnderTest> => {
    lab().server.must(['nft', 'flush', 'ruleset'])
    prepare()
    const made = createNftablesFirewall({ mode, maxGrants, changes })
    assert.ok(made.ok)
    const firewall = made.value
    assert.deepEqual(await firewall.install(), { ok: true, value: undefined })
    return {
      firewall,
      ...surroundings,
      elapse: (milliseconds) => delay(milliseconds),
      [Symbol.asyncDispose]: () => firewall.close(),
    }
  }
  const name = `nftables, ${mode.kind} mode, IPv${family}, ${changes}`
  firewallContract(name, make, { skip })
  const host = async (): Promise<KernelUnderTest> => {
    lab().server.must(['nft', 'flush', 'ruleset'])
    prepare()
    return {
      mode,
      make: () => {
        const made = createNftablesFirewall({ mode, changes })
        assert.ok(made.ok)
        return made.value
      },
      ...surroundings,
      damage: () => void lab().server.must(['nft', 'flush', 'chain', 'inet', 'ghostport', 'gate']),
      changeHost: () => void lab().server.must(['nft', 'add', 'table', 'inet', 'of-the-host']),
      occupy: () => void lab().server.must(['nft', 'add table inet ghostport; add chain inet ghostport input']),
      [Symbol.asyncDispose]: async () => {},
    }
  }
  kernelFirewallContract(name, host, { skip })
}
