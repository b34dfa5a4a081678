import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseIptablesSave } from '../../../firewall/host/iptables-save.ts'
import { parseListing } from '../../../firewall/host/ruleset.ts'
import { parseAddress } from '../../../packet/address.ts'
import { port } from '../../../units.ts'
import type { Listening } from '../../facts/listening.ts'
import { known, notKnown } from '../../known.ts'
import { judgeDocker, published } from './docker.ts'

const listing = (rule: string): string => `table ip nat {\n\tchain DOCKER {\n\t\t${rule}\n\t}\n}\n`
const everywhere = parseAddress('0.0.0.0')
const local = parseAddress('127.0.0.1')
assert.ok(everywhere.ok && local.ok)
const proxy = (address: typeof everywhere.value): Listening => ({
  protocol: 'tcp',
  family: 4,
  address,
  port: port(8080),
  programs: known([{ pid: 1, name: 'docker-proxy' }]),
})

describe('what Docker publishes', () => {
  for (const [what, tables, services, wanted] of [
    [
      'in nft’s words',
      parseListing(listing('iifname != "docker0" tcp dport 8080 counter packets 0 bytes 0 dnat to 172.17.0.2:80')),
      [],
      ['tcp/8080 FORWARD: leads to 172.17.0.2:80'],
    ],
    [
      'as a target of iptables',
      parseListing(listing('iifname != "docker0" udp dport 53 counter packets 0 bytes 0 xt target "DNAT"')),
      [],
      ['udp/53 FORWARD: leads to a container'],
    ],
    [
      'in iptables-legacy',
      parseIptablesSave(
        '*nat\n:DOCKER - [0:0]\n-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n',
        'ip',
      ),
      [],
      ['tcp/8080 FORWARD: leads to 172.17.0.2:80'],
    ],
    [
      'by its proxy alone, after a flush',
      [],
      [proxy(everywhere.value)],
      ['tcp/8080 INPUT: docker-proxy listens on 0.0.0.0'],
    ],
    [
      'both ways',
      parseListing(listing('tcp dport 8080 counter dnat to 172.17.0.2:80')),
      [proxy(everywhere.value)],
      ['tcp/8080 FORWARD: leads to 172.17.0.2:80, INPUT: docker-proxy listens on 0.0.0.0'],
    ],
    ['for this host alone: nothing', [], [proxy(local.value)], []],
    ['an unknown program: nothing', [], [{ ...proxy(everywhere.value), programs: notKnown('only root') }], []],
    ['a rule of somebody else: nothing', parseListing(listing('tcp dport 1 accept')), [], []],
  ] as const)
    it(what, () => {
      assert.deepEqual(
        published(tables, services).map(({ protocol, port, evidence }) => `${protocol}/${port} ${evidence.join(', ')}`),
        wanted,
      )
    })

  it('is an error where a stanza opens it, and well where the gate guards it', () => {
    const ports = published([], [proxy(everywhere.value)])
    const tcp = { protocol: 'tcp', port: port(8080) } as const
    const kind = (hidden: readonly (typeof tcp)[], gate: readonly (typeof tcp)[]): string => {
      const answer = judgeDocker(ports, { hidden, gate })
      return answer.kind === 'bad' ? answer.findings[0].severity : answer.kind
    }
    assert.deepEqual([kind([tcp], []), kind([], []), kind([tcp], [tcp])], ['error', 'hint', 'good'])
  })
})
