/** The usual policy of a host, for tests. */
import { DEFAULT_MARK } from '../../src/config/server/firewall-settings.ts'
import type { HostPolicy } from '../../src/host/policy/policy.ts'

export const POLICY: HostPolicy = {
  mark: DEFAULT_MARK,
  allow: [],
  allowFrom: [],
  trusted: [],
  ping: true,
  reversePath: 'strict',
  forward: 'drop',
}
