/** The part of a lab (`firewall-lab.ts`) that the contracts of firewalls try. */
import { after, before } from 'node:test'
import { type Port, port } from '../../src/units.ts'
import type { FirewallUnderTest } from '../contract/firewall.ts'
import { addresses, createLab, type Lab } from './firewall-lab.ts'

const banners = new Map([
  ['ssh', port(22)],
  ['mail', port(25)],
  ['web', port(80)],
])

/** Makes a lab for the tests of this file. @param skip as `netnsUnavailable` says. @returns the lab, once tests run. */
export function labForContracts(skip: string | false): () => Lab {
  let lab: Lab | undefined
  if (skip === false) {
    before(async () => {
      lab = await createLab()
    })
    after(() => lab?.[Symbol.asyncDispose]())
  }
  return () => {
    if (lab === undefined) throw new Error('no test runs yet')
    return lab
  }
}

/** The clients and the ports of a contract, and how they are tried. */
export function surroundingsIn(
  lab: () => Lab,
  family: 4 | 6,
): Pick<FirewallUnderTest, 'source' | 'stranger' | 'ports' | 'reach' | 'connect'> {
  const at = addresses[family]
  return {
    source: at.c1,
    stranger: at.c2,
    ports: { service: port(22), other: port(25), public: port(80) },
    connect: async (from, to) => {
      const [client, server] = from === at.c1 ? [lab().c1, at.forC1] : [lab().c2, at.forC2]
      return await client.connect(server, to)
    },
    reach: async (from, to): Promise<Port | 'shut'> => {
      const [client, server] = from === at.c1 ? [lab().c1, at.forC1] : [lab().c2, at.forC2]
      return banners.get(await client.tcp(server, to, { timeoutMs: 200 })) ?? 'shut'
    },
  }
}
