/** Hosts whose administrator uses iptables. */
import type { Host } from './netns.ts'

export type Variant = 'nft' | 'legacy'

/** Removes every rule of both variants. */
export function forgetIptables(host: Host): void {
  host.must(['nft', 'flush', 'ruleset'])
  const emptied = ['filter', 'nat', 'raw', 'mangle']
    .map((table) => {
      const policies = table === 'filter' ? ':INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n' : ''
      return `*${table}\n${policies}COMMIT\n`
    })
    .join('')
  for (const program of ['iptables-legacy-restore', 'ip6tables-legacy-restore'])
    host.must([program], { input: emptied })
}

/** Drops everything but loopback, answers and what IPv6 needs. */
export function dropByIptables(host: Host, variant: Variant): void {
  for (const program of ['iptables', 'ip6tables']) {
    const ping = program === 'iptables' ? 'icmp' : 'ipv6-icmp'
    const rules = ['INPUT', 'FORWARD'].flatMap((chain) => [
      ...(chain === 'INPUT' ? ['-A INPUT -i lo -j ACCEPT', `-A INPUT -p ${ping} -j ACCEPT`] : []),
      `-A ${chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    ])
    const input = `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n${rules.join('\n')}\nCOMMIT\n`
    host.must([`${program}-${variant}-restore`, '--noflush'], { input })
  }
}
