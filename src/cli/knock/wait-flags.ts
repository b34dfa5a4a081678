/**
 * `--knocks`, `--wait-limit` and `--wait-for`, which `knock`, `ssh` and `proxy` share. `client/wait-plan.ts` says what
 * they mean.
 */
export const waitOptions = {
  knocks: {
    value: 'N',
    help: 'how often to knock again while the port stays shut, 0 to 20 (default 3): after 1, 2 and 4 s, then every 4 s',
  },
  'wait-limit': { value: 'SECONDS', help: 'stop waiting after this time (default 5)' },
  'wait-for': {
    value: 'SIGN',
    help: 'what counts as open: “connect” (a connection is accepted), or “banner” (the service speaks first, as sshd does). With NAT the default is banner, since another service may answer on the port',
  },
} as const
