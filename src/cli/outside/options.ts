/** The options of `ghostport outside`. */
import type { OptionValues } from '../terminal/parse-command-line.ts'

export const options = {
  ports: {
    short: 'p',
    value: 'PORTS',
    help: 'TCP ports to ask: 22,80,8000-8100, or “-” for all (default: some 70 usual ones)',
  },
  knock: {
    value: 'STANZA',
    help: 'scan before, during and after a knock with this stanza of the rc file, and show what changed',
  },
  'rc-file': { value: 'FILE', help: 'with --knock: read FILE instead of ~/.fwknoprc' },
  after: {
    value: 'SECONDS',
    help: 'with --knock: how long after it the third scan begins, 0 to 3600 (default: FW_TIMEOUT of the stanza, else 30, and 2 more)',
  },
  nmap: { help: 'scan with nmap, which asks the services what they are (-sV); it has to be installed' },
  expect: { value: 'FILE', help: 'what outsiders should see, and nothing else: one port a line, such as tcp/80' },
  save: {
    value: 'FILE',
    help: 'keep the scan, as the XML of nmap. With --knock three files: FILE.xml becomes FILE-before.xml, and so on',
  },
  from: { value: 'ADDRESS', repeatable: true, help: 'scan from this address of this host; one of each family' },
  ipv4: { short: '4', help: 'only the IPv4 addresses of the target' },
  ipv6: { short: '6', help: 'only the IPv6 addresses of the target' },
  timeout: { value: 'SECONDS', help: 'how long to wait for each port, and for a greeting, 0.1 to 30 (default 2)' },
  rate: { value: 'NUMBER', help: 'connections that begin in a second, 1 to 1000 (default 100)' },
  compare: { help: 'compare two saved scans, ONE TWO, and scan nothing. With --expect, one is enough' },
  json: { help: 'one JSON object on standard output, also for a failure (docs/OUTSIDE.md)' },
} as const

export type Given = OptionValues<typeof options>
