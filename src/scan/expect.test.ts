import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nmap5, nmap7 } from '../../test/support/scans.ts'
import { judgeExpected, parseExpected } from './expect.ts'
import { parseScan } from './nmap-result.ts'

const judge = (text: string, scan: string) => {
  const [expected, run] = [parseExpected(text, 'f'), parseScan(scan)]
  assert.ok(expected.ok, expected.ok ? '' : expected.failure.detail)
  assert.ok(run.ok)
  return judgeExpected(run.value, expected.value)
}
const WEB = nmap7({ listed: { 80: 'open' }, extra: { filtered: [999, '1-79,81-1000'] } })

describe('what outsiders are expected to see', () => {
  for (const [text, surprises, unknown] of [
    ['tcp/80', [], []],
    ['\n# all\n 80/tcp  open ipv4 # web\r\n', [], []],
    ['nothing', ['192.0.2.10: tcp/80 is open, and not expected to be'], []],
    ['tcp/80\ntcp/22', ['192.0.2.10: tcp/22 is filtered, and expected to be open'], []],
    ['tcp/80\ntcp/22 filtered', [], []],
    ['tcp/80\ntcp/22 closed', ['192.0.2.10: tcp/22 is filtered, and expected to be closed'], []],
    ['tcp/80 filtered', ['192.0.2.10: tcp/80 is open, and expected to be filtered'], []],
    ['tcp/80\ntcp/2000', [], ['192.0.2.10: tcp/2000 was not asked']],
    ['tcp/80\nudp/53', [], ['192.0.2.10: udp/53 was not asked']],
    ['tcp/80 ipv4\ntcp/80 filtered ipv6', [], ['no address of IPv6 was scanned']],
  ] as const)
    it(JSON.stringify(text), () => assert.deepEqual(judge(text, WEB), { surprises, unknown }))

  it('of a scan that only counts ports: they are not open', () => {
    const counted = nmap5({ listed: { 80: 'open' }, extra: { filtered: [900, ''], closed: [99, ''] } })
    assert.deepEqual(judge('tcp/80\ntcp/22\ntcp/23 closed', counted), {
      surprises: ['192.0.2.10: tcp/22 is not open, and expected to be open'],
      unknown: ['192.0.2.10: tcp/23 is only counted by this scan'],
    })
  })

  for (const [text, line, detail, suggestion] of [
    ['http', 1, /“http” is not a port/],
    ['\ntcp/0', 2, /“tcp\/0” is not a port/],
    ['tcp/65536', 1, /not a port/],
    ['sctp/80', 1, /not a port/],
    ['tcp/80/x', 1, /not a port/],
    ['tcp/80 opne', 1, /“opne” is not one of open, closed/, 'open'],
    ['tcp/80 open closed', 1, /“closed” is one word too many/],
    ['tcp/80 ipv5', 1, /“ipv5”/, 'ipv4'],
    ['tcp/80\n80/tcp closed', 2, /80\/tcp is named twice/],
    ['tcp/80\ntcp/80 ipv6', 2, /named twice/],
    ['nothing\ntcp/80', 1, /other lines name ports/],
  ] as const)
    it(`is refused: ${JSON.stringify(text)}`, () => {
      const parsed = parseExpected(text, 'seen.txt')
      assert.ok(!parsed.ok)
      assert.deepEqual([parsed.failure.code, parsed.failure.at], ['CONFIG_SYNTAX', { file: 'seen.txt', line }])
      assert.match(parsed.failure.detail, detail)
      assert.equal(parsed.failure.suggestion, suggestion)
    })
  it('is refused where nothing is named, which may be a mistake', () => {
    for (const text of ['', '# nothing\n'])
      assert.match(JSON.stringify(parseExpected(text, 'f')), /names no port\. If none may be open, write “nothing”/)
  })
  it('may have any text', () => {
    const word = fc.constantFrom('tcp/80', '80/udp', 'open', 'ipv4', 'nothing', '#', '\n', ' ', '/')
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string())), (words) => {
        const parsed = parseExpected(words.join(' '), 'f')
        return parsed.ok || parsed.failure.code === 'CONFIG_SYNTAX'
      }),
    )
  })
})
