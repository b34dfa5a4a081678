import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { agentOf } from './agent.ts'
import { mergedPath } from './merge-path.ts'
import { isProbe } from './probe.ts'

const WEBKIT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)'

for (const [agent, kind, family, version] of [
  ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'crawler', 'Googlebot', 'Googlebot/2.1'],
  ['Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/)', 'crawler', 'Yahoo! Slurp', 'Yahoo! Slurp'],
  ['Mozilla/5.0 (compatible; MJ12bot/v1.2.4; http://x/)', 'crawler', 'MJ12bot', 'MJ12bot/v1.2.4'],
  ['Mozilla/2.0 (compatible; Ask Jeeves/Teoma; +http://x)', 'crawler', 'Ask Jeeves/Teoma', 'Ask Jeeves/Teoma'],
  ['msnbot/2.0b (+http://search.msn.com/msnbot.htm)', 'crawler', 'msnbot', 'msnbot/2.0b'],
  ['msnbot-media/1.0 (+http://search.msn.com/)', 'crawler', 'msnbot-media', 'msnbot-media/1.0'],
  ['Mozilla/5.0 (Twiceler-0.9 http://www.cuil.com/twiceler/robot.html)', 'crawler', 'Twiceler', 'Twiceler-0.9'],
  [`${WEBKIT.slice(0, -1)}; compatible; GPTBot/1.2; +https://x)`, 'crawler', 'GPTBot', 'GPTBot/1.2'],
  [`${WEBKIT} Chrome/120.0.0.0 Safari/537.36`, 'person', 'Chrome', 'Chrome 120.0.0.0'],
  [`${WEBKIT} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.1`, 'person', 'Edge', 'Edge 120.0.1'],
  ['Mozilla/5.0 (X11; U; Linux i686; rv:1.7.13) Gecko/20060417', 'person', 'Mozilla', 'Mozilla 1.7.13'],
  ['Mozilla/5.0 (X11; Linux; rv:120.0) Gecko/20100101 Firefox/120.0', 'person', 'Firefox', 'Firefox 120.0'],
  ['Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)', 'person', 'Internet Explorer', 'Internet Explorer 6.0'],
  ['Mozilla/5.0 zgrab/0.x', 'scanner', 'zgrab', 'zgrab/0.x'],
  ['curl/8.5.0', 'program', 'curl', 'curl/8.5.0'],
  ['-', 'unknown', '-', '-'],
  ['', 'unknown', '-', '-'],
] as const)
  test(`“${agent}” is ${version}, ${kind}`, () => {
    assert.deepEqual(agentOf(agent), { kind, family, version })
  })

test('an agent of strangers takes no more time than its length', () => {
  const began = performance.now()
  for (const part of [
    'Version/',
    'compatible; ',
    'Trident/',
    'Mozilla/5.0 (',
    'bot',
    'xxxxx',
    '(',
    'rv:1',
    '-1',
    '/v1 ',
  ])
    agentOf(part.repeat(100_000))
  // By their square it would take hours.
  assert.ok(performance.now() - began < 10_000)
  fc.assert(fc.property(fc.string(), (agent) => void agentOf(agent)))
})

for (const [target, status, followsLinks, expected] of [
  ['/.env', 200, true, true],
  ['/a/../../etc/passwd', 400, true, true],
  ['\\x16\\x03\\x01', 400, false, true],
  ['example.com:443', 405, false, true],
  ['/wp-login.php', 404, false, true],
  ['/wp-login.php', 200, false, false],
  ['/wp-login.php', 404, true, false],
  ['/administration', 404, false, false],
  ['/dump.sql.gz', 404, false, true],
  ['http://example.com/', 404, false, true],
  ['*', 200, false, false],
  ['/', 404, false, false],
  ['', 408, false, false],
] as const)
  test(`${target || '(nothing)'} with ${status} is ${expected ? 'a' : 'no'} probe${followsLinks ? ' of a crawler' : ''}`, () => {
    assert.equal(isProbe(target, status, followsLinks), expected)
  })

test('spellings of one resource', () => {
  for (const spelling of ['/353?x', '/353/?x', '//353?x', '/%33%35%33?x', '/353#y?x'.replace('#y', '')])
    assert.equal(mergedPath(spelling, true), '/353?x')
  assert.deepEqual(
    ['/353/?x', '/', '/?', '/a%2fb/', '/A'].map((path) => mergedPath(path, false)),
    ['/353', '/', '/', '/a%2Fb', '/A'],
  )
  fc.assert(
    fc.property(fc.string(), (path) => {
      const once = mergedPath(`/${path}`, true)
      assert.ok(once.startsWith('/'))
    }),
  )
})
