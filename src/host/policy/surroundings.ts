/** What a policy has to fit: whether this host passes packets on, and by which interfaces it reaches others. */
import { lookAtInterfaces } from '../facts/interfaces.ts'
import type { Looker } from '../looker.ts'
import type { Forwarding, ReversePath } from './policy.ts'

const FORWARDING = [
  ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
  ['net.ipv6.conf.all.forwarding', '/proc/sys/net/ipv6/conf/all/forwarding'],
] as const

/** What fits this host, unless the administrator says otherwise. A sentence says why, where it is not the usual. */
export interface Fitting {
  readonly forward: Forwarding
  readonly forwardNote?: string
  readonly reversePath: ReversePath
  readonly reversePathNote?: string
}

/** What is not known counts as the case in which less is dropped. */
export function lookWhatFits(looker: Looker): Fitting {
  const forwards = FORWARDING.flatMap(([name, path]) => {
    const text = looker.read(path)
    if (!text.known) return [`${name} is not known`]
    return Number(text.value ?? 0) > 0 ? [name] : []
  })
  const interfaces = lookAtInterfaces(looker)
  const uplinks = interfaces.known
    ? interfaces.value.filter(({ defaultRoute }) => defaultRoute.length > 0).map(({ name }) => name)
    : undefined
  const usual: Fitting = { forward: 'drop', reversePath: 'strict' }
  return {
    ...usual,
    ...(forwards.length > 0 && {
      forward: 'leave',
      forwardNote: `this host passes packets on (${forwards.join(', ')}), as Docker and libvirt need it: the policy leaves them alone. To drop them too: --forward drop`,
    }),
    ...((uplinks === undefined || uplinks.length > 1) && {
      reversePath: 'loose',
      reversePathNote:
        uplinks === undefined
          ? 'the routes of this host are not known: a source needs a route back, by any interface'
          : `this host has default routes by ${uplinks.join(' and ')}: a source needs a route back, by any of them. To ask for the same interface: --reverse-path strict`,
    }),
  }
}
