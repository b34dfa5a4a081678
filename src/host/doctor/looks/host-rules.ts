/** The host's own rules, of nftables and of iptables-legacy. */
import type { HostRuleset } from '../../../firewall/host/findings.ts'
import { hasIpv6, readHost } from '../../../firewall/host/read-host.ts'
import { openNftables } from '../../../firewall/nftables/library.ts'
import { type Known, known, notKnown } from '../../known.ts'
import { once } from '../../once.ts'
import type { Subject } from '../subject.ts'

export interface HostRules {
  readonly ruleset: HostRuleset
  /** Whether any interface besides loopback has an IPv6 address. */
  readonly ipv6: boolean
}

export const lookAtHostRules = once(async ({ looker }: Subject): Promise<Known<HostRules>> => {
  if (looker.uid !== 0) return notKnown('only root may read the rules of the firewall')
  const nft = openNftables()
  if (!nft.ok) return notKnown(nft.failure.detail)
  try {
    const read = await readHost(nft.value)
    return read.ok ? known({ ruleset: read.value, ipv6: hasIpv6() }) : notKnown(read.failure.detail)
  } finally {
    nft.value.close()
  }
})
