/**
 * The one static rule that the host's own firewall needs in mark mode: accept the connections that carry our mark.
 * netfilter asks every chain, and our accept does not override a drop of theirs (docs/OPERATING.md).
 */
import type { ConnectionMark } from '../../config/server/firewall-settings.ts'

/** The program that manages the host's rules. */
export type HostFirewall =
  | { readonly kind: 'nft'; readonly chains: readonly NftChain[] }
  | { readonly kind: 'iptables' }
  | { readonly kind: 'ufw' }
  | { readonly kind: 'firewalld' }

/** A chain of the administrator's own, as `nft` names it: `inet filter input`. */
export interface NftChain {
  readonly family: 'inet' | 'ip' | 'ip6'
  readonly table: string
  readonly chain: string
}

/** What to do with `lines`: run them as root, or put them into `file`. */
export interface HostRule {
  readonly file?: string
  /** Where in the file, or other advice. */
  readonly note?: string
  readonly lines: readonly string[]
}

/** The chains of the `/etc/nftables.conf` that Debian and most tutorials start from. */
export const USUAL_CHAINS: readonly NftChain[] = [
  { family: 'inet', table: 'filter', chain: 'input' },
  { family: 'inet', table: 'filter', chain: 'forward' },
]

/** The exact rules, for the server's own ports and for forwarded ones. */
export function hostRules(host: HostFirewall, mark: ConnectionMark): readonly HostRule[] {
  const bits = `0x${mark.toString(16)}`
  const nft = (at: string): string => `nft insert rule ${at} ct mark and ${bits} == ${bits} accept`
  const xtables = (chain: string): string => `${chain} -m connmark --mark ${bits}/${bits} -j ACCEPT`
  switch (host.kind) {
    case 'nft':
      return [
        {
          note: 'also put them into /etc/nftables.conf, or a reload forgets them',
          lines: host.chains.map(({ family, table, chain }) => nft(`${family} ${table} ${chain}`)),
        },
      ]
    case 'iptables':
      return [
        {
          note: 'also save them (netfilter-persistent save), or a restart forgets them',
          lines: ['iptables', 'ip6tables'].flatMap((program) =>
            ['INPUT 1', 'FORWARD 1'].map((chain) => `${program} -I ${xtables(chain)}`),
          ),
        },
      ]
    case 'ufw':
      return ['', '6'].map((family) => ({
        file: `/etc/ufw/before${family}.rules`,
        note: `ahead of “-A ufw${family}-before-input -i lo -j ACCEPT”; then run: ufw reload`,
        lines: ['input', 'forward'].map((chain) => `-A ${xtables(`ufw${family}-before-${chain}`)}`),
      }))
    case 'firewalld':
      return [
        {
          note: 'gone after each firewall-cmd --reload: better let the port in there and use FIREWALL_MODE gate',
          lines: ['filter_INPUT', 'filter_FORWARD'].map((chain) => nft(`inet firewalld ${chain}`)),
        },
      ]
    default:
      return host satisfies never
  }
}
