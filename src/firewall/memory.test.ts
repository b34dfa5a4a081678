import { type FirewallUnderTest, firewallContract } from '../../test/contract/firewall.ts'
import type { IpAddress } from '../packet/address.ts'
import { port } from '../units.ts'
import { createMemoryFirewall } from './memory.ts'

firewallContract('memory', async ({ maxGrants }): Promise<FirewallUnderTest> => {
  let now = 0
  const firewall = createMemoryFirewall(() => now, maxGrants)
  await firewall.install()
  return {
    firewall,
    source: '192.0.2.1' as IpAddress,
    stranger: '192.0.2.2' as IpAddress,
    ports: { service: port(22), other: port(25), public: port(80) },
    reach: async (from, at) => {
      const to = firewall.reach(from, { protocol: 'tcp', port: at })
      if (to === 'itself') return at
      return to !== 'shut' && 'localPort' in to ? to.localPort : 'shut'
    },
    elapse: async (milliseconds) => {
      now += milliseconds
    },
    [Symbol.asyncDispose]: () => firewall.close(),
  }
})
