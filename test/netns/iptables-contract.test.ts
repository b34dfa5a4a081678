/**
 * The contracts of every firewall and of those of a kernel, kept by iptables in a real kernel, by both of its variants;
 * topology in `../support/firewall-lab.ts`.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { createIptablesFirewall } from '../../src/firewall/iptables/iptables.ts'
import { type FirewallUnderTest, firewallContract } from '../contract/firewall.ts'
import { type KernelUnderTest, kernelFirewallContract } from '../contract/kernel-firewall.ts'
import { labForContracts, surroundingsIn } from '../support/contract-lab.ts'
import { dropByIptables, forgetIptables, type Variant } from '../support/iptables-host.ts'
import { netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()
const lab = labForContracts(skip)

const subjects: readonly { variant: Variant; family: 4 | 6 }[] = [
  { variant: 'nft', family: 4 },
  { variant: 'legacy', family: 6 },
]

for (const { variant, family } of subjects) {
  const program = `iptables-${variant}`
  const surroundings = surroundingsIn(lab, family)
  const make = async ({ maxGrants }: { maxGrants: number }): Promise<FirewallUnderTest> => {
    forgetIptables(lab().server)
    dropByIptables(lab().server, variant)
    const firewall = createIptablesFirewall({ program, maxGrants })
    assert.deepEqual(firewall.watch({ onMended: () => {} }), { ok: true, value: undefined })
    assert.deepEqual(await firewall.install(), { ok: true, value: undefined })
    return {
      firewall,
      ...surroundings,
      elapse: (milliseconds) => delay(milliseconds),
      [Symbol.asyncDispose]: () => firewall.close(),
    }
  }
  const name = `${program}, IPv${family}`
  firewallContract(name, make, { skip })
  const host = async (): Promise<KernelUnderTest> => {
    forgetIptables(lab().server)
    dropByIptables(lab().server, variant)
    const command = `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`
    return {
      mode: { kind: 'chains' },
      // The kernel tells of iptables-nft at once.
      make: () => createIptablesFirewall({ program, ...(variant === 'legacy' && { lookInterval: 500 }) }),
      ...surroundings,
      damage: () => void lab().server.must([command, '-F', 'FWKNOP_INPUT']),
      changeHost: () => void lab().server.must([command, '-A', 'INPUT', '-p', 'tcp', '--dport', '9', '-j', 'DROP']),
      occupy: () => {
        lab().server.must([command, '-N', 'FWKNOP_INPUT'])
        lab().server.must([command, '-A', 'FWKNOP_INPUT', '-p', 'tcp', '--dport', '9', '-j', 'DROP'])
      },
      [Symbol.asyncDispose]: async () => {},
    }
  }
  kernelFirewallContract(name, host, { skip })
}
