import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dnsServer } from '../../../test/support/reverse-dns.ts'
import { crawlerSection } from './crawler-section.ts'
import { parseRequest } from './request.ts'
import { Survey } from './survey.ts'

const reverse = (last: number): string => `PTR ${last}.2.0.192.in-addr.arpa`

test('a crawler is genuine if its name is of its domain, and leads back', async () => {
  await using server = await dnsServer({
    [reverse(1)]: 'crawl-1.googlebot.com',
    'A crawl-1.googlebot.com': '192.0.2.1',
    // Anybody can give the own address any name.
    [reverse(2)]: 'crawl-2.googlebot.com',
    'A crawl-2.googlebot.com': '192.0.2.1',
    [reverse(3)]: 'googlebot.com.example.net',
    'A googlebot.com.example.net': '192.0.2.3',
    [reverse(4)]: 'notgooglebot.com',
    [reverse(6)]: 'evil\x1b[2J.example.net',
  })
  const parsed = parseRequest(['--verify', '--resolver', server.address, '--top', '0', 'log'])
  assert.ok(parsed.ok && typeof parsed.value === 'object')
  const survey = new Survey(parsed.value)
  const see = (address: string, agent: string): void =>
    survey.add({ address, day: '2006-01-01', target: '/', status: 200, agent }, '')
  for (const last of [1, 2, 3, 4, 5, 6]) see(`192.0.2.${last}`, 'Mozilla/5.0 (compatible; Googlebot/2.1)')
  see('crawler.example', 'Googlebot/2.1')
  see('192.0.2.7', 'DotBot/1.1')
  see('192.0.2.8', 'Mozilla/5.0 Firefox/3.0')
  const { rows, notes } = await crawlerSection(survey, parsed.value)
  const found = new Map(rows.map((row) => [row[2], [row[3], row[4]]]))
  assert.deepEqual(found.get('192.0.2.1'), ['genuine', 'crawl-1.googlebot.com'])
  assert.deepEqual(found.get('192.0.2.2'), ['false', 'crawl-2.googlebot.com'])
  assert.deepEqual(found.get('192.0.2.3'), ['false', 'googlebot.com.example.net'])
  assert.deepEqual(found.get('192.0.2.4'), ['false', 'notgooglebot.com'])
  assert.deepEqual(found.get('192.0.2.5'), ['false', ''])
  // c-ares refuses a name with control characters.
  assert.notEqual(found.get('192.0.2.6')?.[0], 'genuine')
  assert.deepEqual(found.get('crawler.example'), ['unknown', ''])
  assert.deepEqual(found.get('192.0.2.7'), ['not known', ''])
  assert.equal(found.has('192.0.2.8'), false)
  assert.equal(notes[0], 'genuine: 1 hits of 1 addresses')
  // Nothing else was asked: no name outside of the domain, and nobody who does not say to be such a crawler.
  assert.deepEqual(server.asked.filter((question) => question.startsWith('A ')).sort(), [
    'A crawl-1.googlebot.com',
    'A crawl-2.googlebot.com',
  ])
  assert.ok(!server.asked.includes(reverse(7)) && !server.asked.includes(reverse(8)))
})

test('without --verify nothing is asked', async () => {
  await using server = await dnsServer({})
  const parsed = parseRequest(['--report', 'crawlers', 'log'])
  assert.ok(parsed.ok && typeof parsed.value === 'object')
  const survey = new Survey(parsed.value)
  survey.add({ address: '192.0.2.1', day: '2006-01-01', target: '/', status: 200, agent: 'Googlebot/2.1' }, '')
  const { rows } = await crawlerSection(survey, { ...parsed.value, resolver: server.address })
  assert.deepEqual(rows[0]?.slice(1, 4), ['Googlebot', '192.0.2.1', 'not asked'])
  assert.deepEqual(server.asked, [])
})
