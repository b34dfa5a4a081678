/** The options of visitors. */
import type { OptionTable } from '../../cli/terminal/parse-command-line.ts'

export const visitorsOptions = {
  report: {
    short: 'r',
    value: 'NAMES',
    aliases: ['reports'],
    help: 'which reports, with commas: hits, agents, kinds, paths, addresses, statuses, knocks, crawlers; or all (default: hits,agents,kinds)',
  },
  by: {
    short: 'b',
    value: 'day|month|year',
    help: 'the periods. Given, each report is made for each period (default: hits by month)',
  },
  top: { short: 'n', value: 'NUMBER', help: 'how many agents, paths and addresses are shown (default 10; 0: all)' },
  agents: {
    value: 'full|version|family',
    help: 'which agents are one: the same text, the same name and version (default), the same name',
  },
  since: { short: 's', value: 'DATE', help: 'only from this day, month or year on: 2006-05-17, 2006-05, 2006' },
  until: { short: 'u', value: 'DATE', help: 'only until the end of this day, month or year' },
  path: { short: 'p', value: 'RE', help: 'only requests whose path, with its query, matches the regular expression' },
  agent: { short: 'a', value: 'RE', help: 'only agents that match; upper and lower case are alike' },
  'not-agent': { short: 'A', value: 'RE', help: 'only agents that do not match' },
  line: { value: 'RE', help: 'only lines that match anywhere' },
  status: { value: 'LIST', help: 'only these statuses: 404, 4xx, 200,304' },
  address: { value: 'LIST', help: 'only these addresses or networks: 192.0.2.1, 2001:db8::/32' },
  kind: { short: 'k', value: 'LIST', help: 'only these kinds of visitors: scanner, crawler, person, program, unknown' },
  'merge-paths': { short: 'm', help: 'spellings of one path count as one: /353?x and /353/?x, // and /, %7E and ~' },
  'no-query': { help: 'paths count without what follows the ?' },
  lines: { short: 'l', help: 'print the lines that are left, and no report' },
  rest: { help: 'with --agent: print the lines of all other agents too, by period' },
  ghostport: {
    short: 'g',
    value: 'FILE',
    repeatable: true,
    help: 'the JSON log of ghostport: shows who probes and who knocks (may be given again)',
  },
  verify: { help: 'ask the DNS whether crawlers are what they say. This sends their addresses to your resolver' },
  resolver: { value: 'ADDRESS[:PORT]', help: 'with --verify: ask this DNS server' },
  format: {
    short: 'f',
    value: 'table|json|csv|html|svg',
    help: 'the form of the report (default table). svg is the chart of the hits',
  },
  output: { short: 'o', value: 'FILE', help: 'write the report to FILE' },
  'log-format': {
    short: 'F',
    value: 'FORMAT',
    help: 'common, combined, vhost_combined, json, or a LogFormat of Apache or log_format of nginx (default: found out)',
  },
  name: { value: 'RE', help: 'in folders, read the files whose name matches (default: access)' },
  version: { short: 'V', help: 'show the version' },
  help: { short: 'h', help: 'show this text' },
} as const satisfies OptionTable

/** What the help and the manual say before the options. */
export const VISITORS_ABOUT = [
  'Who visits a web server: reads access logs of Apache and nginx, plain or compressed by gzip, and counts. A LOG is a file,',
  'a folder with all below it, or - for the standard input. Memory stays the same, however long the logs are.',
] as const
