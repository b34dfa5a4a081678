import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { optionsOf, unlike } from './command-lines.ts'
import type { ScanRun } from './nmap-result.ts'

const run = (commandLine: string | undefined, scanner = 'nmap 7.93'): ScanRun => ({
  ...{ scanner, asked: new Map(), hosts: [] },
  ...(commandLine !== undefined && { commandLine }),
})
const warnings = (one: string | undefined, other: string | undefined) => unlike(run(one), run(other), ['ONE', 'TWO'])

describe('the command lines of two scans', () => {
  for (const [one, other] of [
    ['nmap -sT -p 1-100 -oX a.xml h', '/usr/bin/nmap -p 1-100 -sT -oX b.xml h'],
    ['nmap -T4 --max-rtt-timeout 50ms h', 'nmap -T4 --max_rtt_timeout=50ms -v -d2 -n h'],
    ['nmap -p22 h', 'nmap -p 22 h'],
    ['nmap -p- h', 'nmap h -p- --stats-every 5s'],
  ] as const)
    it(`are alike: ${one}, ${other}`, () => assert.deepEqual(warnings(one, other), []))

  for (const [one, other, warned] of [
    // The notes of 2009: the second scan had less time for each answer.
    [
      'nmap -sT h',
      'nmap -sT --max-rtt-timeout 50ms h',
      /no --max-rtt-timeout → --max-rtt-timeout 50ms\): with less time.*looks filtered/,
    ],
    ['nmap -T4 h', 'nmap -T5 h', /-T 4 → -T 5\): with less time/],
    ['nmap --max-retries 1 h', 'nmap h', /--max-retries 1 → no --max-retries\): with less time/],
    ['nmap -p 1-100 h', 'nmap -F h', /-p 1-100 → no -p; no -F → -F\): they asked other ports/],
    ['nmap -sT h', 'nmap -sS h', /-sT → no -sT; no -sS → -sS\): they asked in another way/],
    ['nmap -sT h', 'nmap -sT -sV h', /no -sV → -sV\): they asked the services in another way/],
    ['nmap -S 192.0.2.1 h', 'nmap -S 192.0.2.2 h', /-S 192.0.2.1 → -S 192.0.2.2\): they asked in another way/],
    ['nmap h', undefined, /TWO does not say how it was made/],
  ] as const)
    it(`are not: ${one}, ${other}`, () => {
      const [only, ...more] = warnings(one, other)
      assert.match(only ?? '', warned)
      assert.deepEqual(more, [])
    })

  it('of two scanners, or two versions of one', () => {
    assert.match(
      unlike(run('nmap h', 'nmap 5.21'), run('nmap h'), ['A', 'B']).join(),
      /A was made by nmap 5\.21, and B by nmap 7\.93/,
    )
  })
  it('may have any words', () => {
    for (const text of ['', ' ', 'nmap', 'nmap -', 'nmap --', 'nmap -p', 'nmap =', 'nmap -=-', 'nmap --=x'])
      assert.ok(optionsOf(text).size <= 1, text)
  })
})
