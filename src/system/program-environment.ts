/**
 * The environment of the system's own programs, such as nft, iptables and systemctl. No setting of our caller reaches
 * them, and they speak English.
 */
export const PROGRAM_ENVIRONMENT = { PATH: '/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C' } as const
