/**
 * `--wait-limit` and `--wait-for`, which `knock`, `ssh` and `proxy` share. What they mean is in client/wait-plan.ts.
 */
export const waitOptions = {
  'wait-limit': { value: 'SECONDS', help: 'stop waiting after this time (default 5)' },
  'wait-for': {
    value: 'SIGN',
    help: 'what counts as open: “connect” (a connection is accepted), or “banner” (the service speaks first, as sshd does). With NAT the default is banner, since another service may answer on the port',
  },
} as const
