import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_MARK, DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import { parseListing } from '../../firewall/host/ruleset.ts'
import { parseProtocolPorts } from '../../packet/protocol-port.ts'
import { judgeManagers } from '../facts/managers.ts'
import { known } from '../known.ts'
import { chooseWay } from './choose-way.ts'

const input = (rules: string, policy = 'drop'): string =>
  `table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy ${policy};\n\t\t${rules}\n\t}\n}\n`
const ufw = (rules: string): string =>
  ['ip', 'ip6']
    .map((family) => {
      const u = family === 'ip' ? 'ufw' : 'ufw6'
      return `table ${family} filter {\n\tchain ${u}-before-input {\n\t\tct state established accept\n\t\t${rules}\n\t}\n\tchain INPUT {\n\t\ttype filter hook input priority 0; policy drop;\n\t\tcounter jump ${u}-before-input\n\t}\n}\n`
    })
    .join('')
const firewalld = `table inet firewalld {\n\tchain filter_INPUT {\n\t\ttype filter hook input priority 10; policy accept;\n\t\tct state established accept\n\t\treject with icmpx admin-prohibited\n\t}\n}\n`

function chosen(listing: string, ports = 'tcp/22'): string {
  const tables = parseListing(listing)
  const managers = judgeManagers({ tables, legacy: [], units: { known: false, because: 'none' } })
  const parsed = parseProtocolPorts(ports)
  assert.ok(parsed.ok)
  const made = chooseWay({
    rules: { tables, unread: [] },
    managers: { managers, legacyTables: [], iptables: known('nft'), nftablesFlushes: known(false) },
    ipv6: true,
    table: DEFAULT_TABLE,
    mark: DEFAULT_MARK,
    ports: parsed.value,
  })
  if (!made.ok) return `${made.failure.code} ${made.failure.suggestion ?? made.failure.detail}`
  const { way } = made.value
  if (way.kind === 'mark' || way.letIn === undefined) return way.kind
  return `gate, ${way.letIn.by} lets in ${way.letIn.ports.map(({ port }) => port).join(' ')}`
}

describe('the way that is chosen', () => {
  const MARK = 'ct mark & 0x00200000 == 0x00200000 accept'
  for (const [host, listing, wanted, ports] of [
    ['no rules', '', 'gate'],
    [
      'rules that let the port in',
      input('ct state established accept; tcp dport 22 accept'.replace('; ', '\n\t\t')),
      'gate',
    ],
    ['a policy that accepts', input('', 'accept'), 'gate'],
    ['rules that shut the port and accept the mark', input(MARK), 'mark'],
    ['the same, with another port open', input(`${MARK}\n\t\ttcp dport 8080 accept`), 'gate', 'tcp/22,tcp/8080'],
    ['the same, with the port open', input(`${MARK}\n\t\ttcp dport 22 accept`), 'gate'],
    [
      'the port open to one address only',
      input('ip saddr 192.0.2.1 tcp dport 22 accept'),
      'SETUP_REFUSED nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept',
    ],
    [
      'rules that shut the port',
      input('ct state established accept'),
      'SETUP_REFUSED nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept',
    ],
    ['ufw that lets the port in', ufw('tcp dport 22 accept'), 'gate'],
    ['ufw that shuts the port', ufw(''), 'gate, ufw lets in 22'],
    ['ufw that shuts one of two ports', ufw('tcp dport 22 accept'), 'gate, ufw lets in 8080', 'tcp/22,tcp/8080'],
    ['firewalld that shuts the port', firewalld, 'gate, firewalld lets in 22'],
    [
      'ufw and firewalld',
      ufw('') + firewalld,
      'SETUP_REFUSED tcp/22 is shut, and both ufw and firewalld manage the rules of this host. Switch one of them off, and run “ghostport init” again',
    ],
  ] as const)
    it(`${host}: ${wanted}`, () => assert.equal(chosen(listing, ports), wanted))
})
