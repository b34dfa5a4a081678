/**
 * The rules of iptables-legacy, as `iptables-legacy-save` prints them. nft does not list them, but the kernel asks
 * both. Each rule is translated into nft's words, so that one judgement fits all. An unknown match stays unknown.
 */
import { savedLines } from '../saved-lines.ts'
import { type BaseHook, type HostChain, HostRuleLine, type HostTable } from './ruleset.ts'

const hooks: Readonly<Record<string, string>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
}
const priorities: Readonly<Record<string, number>> = { raw: -300, mangle: -150, nat: -100, filter: 0, security: 50 }

export function parseIptablesSave(text: string, family: 'ip' | 'ip6'): readonly HostTable[] {
  const tables: HostTable[] = []
  const program = family === 'ip' ? 'iptables-legacy' : 'ip6tables-legacy'
  let name = ''
  let chains = new Map<string, HostChain & { readonly rules: HostRuleLine[] }>()
  for (const line of savedLines(text)) {
    const [, table] = /^\*(\w+)$/.exec(line) ?? []
    const [, chain, policy] = /^:(\S+) (\S+)/.exec(line) ?? []
    const [, into, words] = /^-A (\S+) ?(.*)$/s.exec(line) ?? []
    if (table !== undefined) {
      name = table
      chains = new Map()
      tables.push({ family, name, by: 'iptables-legacy', chains })
    } else if (chain !== undefined) {
      const base = baseOf(name, chain, policy ?? '-')
      chains.set(chain, { family, table: name, name: chain, ...(base && { base }), rules: [] })
    } else if (into !== undefined) {
      const at = `${program} -t ${name}`
      chains.get(into)?.rules.push(new HostRuleLine(at, translate(words ?? '', family), line))
    }
  }
  return tables
}

function baseOf(table: string, chain: string, policy: string): BaseHook | undefined {
  const hook = hooks[chain]
  if (hook === undefined || policy === '-') return undefined
  return {
    type: table === 'nat' ? 'nat' : 'filter',
    hook,
    priority: priorities[table] ?? 0,
    policy: policy === 'DROP' ? 'drop' : 'accept',
  }
}

/** Each known option in nft's words. `$` stands for its value. */
const options: Readonly<Record<string, (value: string, not: string, family: 'ip' | 'ip6') => string>> = {
  '-p': (value, not) => `meta l4proto ${not}${value} `,
  '-s': (value, not, family) => `${family} saddr ${not}${value} `,
  '-d': (value, not, family) => `${family} daddr ${not}${value} `,
  '-i': (value, not) => `iifname ${not}"${value}" `,
  '-o': (value, not) => `oifname ${not}"${value}" `,
  '--dport': (value, not) => `th dport ${not}${value.replace(':', '-')} `,
  '--sport': (value, not) => `th sport ${not}${value.replace(':', '-')} `,
  '--dports': (value, not) => `th dport ${not}${portSet(value)} `,
  '--sports': (value, not) => `th sport ${not}${portSet(value)} `,
  '--ctstate': (value, not) => `ct state ${not}${value.toLowerCase()} `,
  '--state': (value, not) => `ct state ${not}${value.toLowerCase()} `,
  '--icmpv6-type': (value, not) => `icmpv6 type ${not}${value} `,
  '--icmp-type': (value, not) => `icmp type ${not}${value} `,
  '--dst-type': (value, not) => `fib daddr type ${not}${value.toLowerCase()} `,
  '--pkt-type': (value, not) => `pkttype ${not}${value} `,
  '--limit': (value) => `limit rate ${value} `,
  '--comment': () => '',
  '--limit-burst': () => '',
}
/** Matches whose options are all among those above. */
const known = /^(tcp|udp|icmp|icmp6|ipv6-icmp|multiport|conntrack|state|comment|limit|addrtype|pkttype)$/

function translate(words: string, family: 'ip' | 'ip6'): string {
  const tokens = words.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
  let said = ''
  let unknown = ''
  let negated = ''
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? ''
    if (token === '!') {
      negated = '!= '
      continue
    }
    const value = tokens[i + 1] ?? ''
    if (token === '-j' || token === '-g') return said + unknown + verdictOf(token, value, tokens.slice(i + 2))
    if (token === '-m') {
      if (value === 'connmark') said += connectionMark(tokens.slice(i + 2))
      else if (!known.test(value)) unknown = `xt match ${value} `
      i++
    } else if (options[token] !== undefined) {
      said += options[token](value, negated, family)
      i++
    } else if (token.startsWith('--') && token !== '--mark') unknown ||= `xt match ${token.slice(2)} `
    negated = ''
  }
  return said + unknown
}

function connectionMark(rest: readonly string[]): string {
  const negated = rest[0] === '!'
  const [, value = '', mask = '0xffffffff'] = /^(\w+)(?:\/(\w+))?$/.exec(rest[negated ? 2 : 1] ?? '') ?? []
  return value === '' ? 'xt match connmark ' : `ct mark and ${mask} ${negated ? '!=' : '=='} ${value} `
}

function portSet(value: string): string {
  return `{ ${value.split(',').join(', ').replaceAll(':', '-')} }`
}

function verdictOf(how: string, target: string, rest: readonly string[]): string {
  switch (target) {
    case 'ACCEPT':
      return 'accept'
    case 'DROP':
      return 'drop'
    case 'REJECT':
      return 'reject'
    case 'RETURN':
      return 'return'
    case 'NOTRACK':
      return 'notrack'
    case 'CT':
      return rest.includes('--notrack') ? 'notrack' : ''
    case 'DNAT':
    case 'REDIRECT':
    case 'TPROXY':
    case 'NFQUEUE':
      return 'queue'
    default:
      // The kernel's targets have names in capitals. Chains of the administrator may have them too.
      return /^(LOG|NFLOG|ULOG|MARK|CONNMARK|TCPMSS|SET|CLASSIFY|DSCP|TOS|TTL|HL|CHECKSUM|TRACE|SNAT|MASQUERADE)$/.test(
        target,
      )
        ? `xt target ${target}`
        : `${how === '-g' ? 'goto' : 'jump'} ${target}`
  }
}
