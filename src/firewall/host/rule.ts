/**
 * Reads one rule in nft's words: what it matches and what it does. A part that is not understood is `unknown`, never
 * guessed. A judgement that depends on it says so.
 */
import { matchers, skipped } from './matchers.ts'
import type { Grade, Probe, Test } from './probe.ts'

export type RuleVerdict =
  | { readonly does: 'accept' | 'drop' | 'return' | 'nothing' }
  /** The packet is redirected, or another program decides about it. */
  | { readonly does: 'divert' }
  | { readonly does: 'notrack' }
  | { readonly does: 'jump' | 'goto'; readonly chain: string }

export interface JudgedRule {
  readonly verdict: RuleVerdict
  /** Whether the rule names a port, a type of ICMPv6, or a mark: then it was written for that. */
  about(probe: Probe): Grade
}

/** @param text one line of a listing. @returns one rule, or one for each element of a verdict map. */
export function compileRule(text: string): readonly JudgedRule[] {
  const map = !text.includes(' vmap ') ? null : /^(.*?)(\S+ \S+) vmap (\{ .* \}|@\S+)(.*)$/.exec(text)
  if (map === null) return [compilePlain(text)]
  const [, before = '', key = '', elements = '', after = ''] = map
  // The verdicts of a named map are not listed, so any of them is possible.
  if (elements.startsWith('@')) return [compilePlain(`${before}${key} ${elements} queue${after}`)]
  return elements
    .slice(2, -2)
    .split(/, (?=[^,]* : )/)
    .map((element) => {
      const [value = '', verdict = ''] = element.split(' : ')
      return compilePlain(`${before}${value === '*' ? '' : `${key} ${value} `}${verdict}`)
    })
}

function compilePlain(text: string): JudgedRule {
  const tests: Test[] = []
  let rest = text
  for (;;) {
    rest = rest.trimStart()
    if (rest === '') return judged(tests, { does: 'nothing' })
    const passed = skipped.exec(rest)
    if (passed !== null) {
      rest = rest.slice(passed[0].length)
      continue
    }
    const verdict = verdictOf(rest)
    if (verdict !== undefined) {
      // Redirects the sources that a map names, as another ghostport does. Does not match a stranger.
      if (/^(dnat|redirect) .*\bsaddr\b.* map @/.test(rest))
        tests.push(({ from }) => (from === 'stranger' ? 'no' : 'unknown'))
      return judged(tests, verdict)
    }
    const found = firstMatch(rest)
    if (found !== undefined) {
      tests.push(found.test)
      rest = rest.slice(found.length)
    } else {
      tests.push(() => 'unknown')
      rest = rest.replace(/^(\{[^}]*\}|"[^"]*"|\S+)/, '')
    }
  }
}

function firstMatch(rest: string): { readonly test: Test; readonly length: number } | undefined {
  for (const [pattern, make] of matchers) {
    const match = pattern.exec(rest)
    if (match !== null) return { test: make(match), length: match[0].length }
  }
  return undefined
}

function judged(tests: readonly Test[], verdict: RuleVerdict): JudgedRule {
  return {
    verdict,
    about(probe) {
      let worst: Grade = 'yes'
      for (const test of tests) {
        const grade = test(probe)
        if (grade === 'no') return 'no'
        if (grade === 'unknown') worst = 'unknown'
      }
      return worst
    },
  }
}

/** Targets of iptables that nft cannot translate, and that pass the packet to the next rule. */
const passingTargets =
  /^xt target "?(LOG|NFLOG|ULOG|MARK|CONNMARK|CONNSECMARK|SECMARK|CLASSIFY|TCPMSS|TCPOPTSTRIP|SET|DSCP|TOS|TTL|HL|CHECKSUM|AUDIT|RATEEST|TRACE|LED|IDLETIMER|TEE)\b/

function verdictOf(rest: string): RuleVerdict | undefined {
  const [, word = '', chain = ''] = /^([a-z]+)\b ?(\S*)/.exec(rest) ?? []
  switch (word) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'notrack':
      return { does: word }
    case 'reject':
      return { does: 'drop' }
    case 'continue':
      return { does: 'nothing' }
    case 'jump':
    case 'goto':
      return { does: word, chain }
    case 'queue':
    case 'dnat':
    case 'redirect':
    case 'tproxy':
    case 'synproxy':
    case 'fwd':
      return { does: 'divert' }
    // Both change the source only, after everything that is judged here.
    case 'snat':
    case 'masquerade':
      return { does: 'nothing' }
    case 'xt':
      if (passingTargets.test(rest)) return { does: 'nothing' }
      return rest.startsWith('xt target') ? { does: 'divert' } : undefined
    default:
      return undefined
  }
}
