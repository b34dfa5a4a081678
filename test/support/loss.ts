/**
 * SPA packets that are lost on the way: after the sender's kernel took them for sent, and before the receiver's packet
 * sockets, which also see what its firewall drops.
 */
import type { Host } from './netns.ts'

/**
 * Loses the next `count` SPA packets that leave `host` by its first interface, and no more.
 * @returns ends that.
 */
export function loseNext(host: Host, count: number): Disposable {
  host.must(['nft', '-f', '-'], {
    input: `table netdev loss {
      chain out {
        type filter hook egress device "eth0" priority 0
        udp dport 62201 numgen inc mod 1000000 < ${count} drop
      }
    }`,
  })
  return { [Symbol.dispose]: () => void host.must(['nft', 'delete', 'table', 'netdev', 'loss']) }
}
