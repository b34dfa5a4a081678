/** The rules of this host as they are now. */
import type { HostRuleset } from '../../firewall/host/findings.ts'
import { readHost } from '../../firewall/host/read-host.ts'
import { openNftables } from '../../firewall/nftables/library.ts'
import type { Result } from '../../result.ts'

export async function hostRules(): Promise<Result<HostRuleset>> {
  const nft = openNftables()
  if (!nft.ok) return nft
  try {
    return await readHost(nft.value)
  } finally {
    nft.value.close()
  }
}
