/** `--wait-limit` and `--wait-for`, which `knock`, `ssh` and `proxy` share. What they mean is in client/wait-plan.ts. */
export const waitOptions = {
  'wait-limit': { value: 'SECONDS', help: 'give up waiting after so long (default 5)' },
  'wait-for': {
    value: 'SIGN',
    help: 'what counts as open: “connect”, or “banner”, a service that speaks first, as sshd does (the default with NAT, where another service may answer on the port)',
  },
} as const
