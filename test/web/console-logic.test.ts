/** What the page of the console works out: from the stream, from texts of strangers, and for thousands of rows. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { failureKinds } from '../../src/failure-codes.ts'
import type { Grant, LogEvent } from '../../web/console/api.ts'
import { SseReader } from '../../web/console/live/sse.ts'
import { applied, counted, type Live, MOST_EVENTS, NOTHING, summaryOf } from '../../web/console/live/state.ts'
import { windowOf } from '../../web/console/parts/rows.ts'
import { actorText } from '../../web/console/texts/actor.ts'
import { span, toldOf } from '../../web/console/texts/events.ts'
import { shownGrants, timeLeft } from '../../web/console/texts/grants.ts'
import { filtersIn, historyQuery } from '../../web/console/texts/history.ts'
import { piecesOf } from '../../web/console/texts/reasons.ts'
import { chartOf, OTHER, roundUp } from '../../web/console/texts/refusal-chart.ts'
import { isFound, searchText, wordsOf } from '../../web/console/texts/search-text.ts'
import { shownUsers, stateWord } from '../../web/console/texts/users.ts'
import { explanations } from '../../web/explanations.mjs'

const AT = '2026-11-26T12:00:00.000Z'
const NOW = Date.parse(AT)
const grant = (id: string, more: Partial<Grant> = {}): Grant => ({
  ...{ id, source: '192.0.2.7', opens: ['tcp/22'], name: 'ada', until: AT, extendable: true },
  ...more,
})
const event = (id: number, more: Partial<LogEvent> = {}): LogEvent => ({
  ...{ id, at: AT, level: 'info', event: 'knock' },
  ...more,
})
const hello = (grants: readonly Grant[], now = AT) =>
  ({ event: 'hello', data: { now, server: { state: 'up' }, grants } }) as const

describe('the stream', () => {
  const text =
    ': a comment\n\nid: 7\nevent: grants\ndata: {"a":\ndata: 1}\n\nevent: beat\r\ndata: {"now":"é"}\r\n\r\nid: 8\n\n'
  const whole = new SseReader().push(text)

  it('has messages of several lines, and passes over what has no data', () => {
    assert.deepEqual(whole, [
      { id: '7', event: 'grants', data: '{"a":\n1}' },
      { event: 'beat', data: '{"now":"é"}' },
    ])
  })

  it('may be cut anywhere', () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const reader = new SseReader()
      assert.deepEqual([...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))], whole, `${cut}`)
    }
  })

  it('of any text throws nothing', () => {
    const pieces = fc.constantFrom('data: ', 'id: ', 'event: ', '\n', '\n\n', '\r\n\r\n', ':')
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string({ unit: 'binary' }), pieces)), (parts) => {
        const reader = new SseReader()
        for (const part of parts) reader.push(part)
      }),
    )
  })
})

describe('what is known', () => {
  it('begins with hello, and changes with each grant', () => {
    let live: Live = applied(NOTHING, hello([grant('g:1'), grant('g:2')], '2026-11-26T12:00:05.000Z'), NOW)
    assert.equal(live.ahead, 5000)
    const longer = grant('g:1', { until: '2026-11-26T13:00:00.000Z' })
    live = applied(live, { event: 'grants', data: { added: [grant('g:3')], changed: [longer], removed: ['g:2'] } }, NOW)
    assert.deepEqual([...live.grants.keys()].sort(), ['g:1', 'g:3'])
    assert.equal(live.grants.get('g:1')?.until, longer.until)
    // After a new connection, what has ended meanwhile is gone.
    assert.deepEqual([...applied(live, hello([grant('g:3')]), NOW).grants.keys()], ['g:3'])
  })

  it('has each event once, the newest first, and not more than it may', () => {
    let live: Live = applied(NOTHING, { event: 'events', data: { events: [event(1), event(2)] } }, NOW)
    live = applied(live, { event: 'events', data: { events: [event(2), event(3)] } }, NOW)
    assert.deepEqual(
      live.events.map(({ event: { id } }) => id),
      [3, 2, 1],
    )
    assert.equal(live.seen, 3)
    const many = Array.from({ length: MOST_EVENTS + 500 }, (_, i) => event(i + 4))
    live = applied(live, { event: 'events', data: { events: many } }, NOW)
    assert.equal(live.events.length, MOST_EVENTS)
    assert.equal(live.events[0]?.event.id, MOST_EVENTS + 503)
    assert.equal(live.seen, MOST_EVENTS + 503)
  })

  it('is read out as a sentence', () => {
    const refused = event(1, { verdict: 'refused' })
    const counts = counted({ granted: 0, refused: 0, other: 0 }, [event(2, { verdict: 'granted' }), refused, refused])
    assert.equal(summaryOf(counts), '1 knock granted, 2 refused')
    assert.equal(summaryOf({ granted: 0, refused: 0, other: 0 }), '')
  })
})

describe('an event in plain words', () => {
  const cases: readonly (readonly [Partial<LogEvent>, string, string])[] = [
    [
      { verdict: 'granted', grant: 'tcp/22', for: '192.0.2.7', lifetime: 300 },
      'Granted',
      'tcp/22 is open for 192.0.2.7, 5 min.',
    ],
    [
      { verdict: 'granted', grant: 'tcp/22', shutBy: ['HOST_DROPS'] },
      'Granted',
      'tcp/22 is open. The rules of the host still drop it.',
    ],
    [
      { verdict: 'granted', closes: 'tcp/22', ended: 1, for: '192.0.2.7' },
      'Closed',
      'tcp/22 was closed by the client, for 192.0.2.7: 1 grant ended.',
    ],
    [{ verdict: 'granted', command: 'id', for: '192.0.2.7' }, 'Granted', 'A command runs (id) for 192.0.2.7.'],
    [{ verdict: 'refused', code: 'SPA_REPLAYED' }, 'Refused', 'This packet was used before.'],
    [
      { verdict: 'refused', code: 'ACCESS_PORT_DENIED', detail: 'tcp/23' },
      'Refused',
      'The stanza does not allow this port: tcp/23',
    ],
    // A newer server: what it says is better than nothing.
    [{ verdict: 'refused', code: 'NEW_CODE', reason: 'a new reason' }, 'Refused', 'A new reason.'],
    [{ verdict: 'refused', code: 'NEW_CODE' }, 'Refused', 'NEW_CODE.'],
    [{ verdict: 'refused', code: 'toString' }, 'Refused', 'ToString.'],
    [{ event: 'toString', detail: 'x' }, 'ToString', 'X'],
    [{ event: 'ready' }, 'Ready', 'The server receives packets.'],
  ]
  for (const [fields, word, sentence] of cases)
    it(`${JSON.stringify(fields)}: ${sentence}`, () => {
      const told = toldOf(event(1, fields))
      assert.deepEqual([told.word, told.sentence], [word, sentence])
    })

  it('of any fields throws nothing, and is found by its texts', () => {
    const fields = fc.dictionary(fc.constantFrom('verdict', 'code', 'detail', 'name', 'grant', 'x'), fc.jsonValue())
    fc.assert(
      fc.property(fields, (given) => {
        const made = { ...event(1), ...(given as Partial<LogEvent>) }
        if (Object.values(given).every((value) => typeof value === 'string')) toldOf(made)
        searchText(made)
      }),
    )
    assert.ok(isFound(wordsOf(' ADA  192.0'), searchText(event(1, { name: 'ada', source: '192.0.2.7' }))))
    assert.ok(!isFound(wordsOf('bob'), searchText(event(1, { name: 'ada' }))))
  })

  it('has an explanation for each code that there is', () => {
    const told = explanations()
    assert.deepEqual(
      Object.keys(failureKinds).filter((code) => (told[code] ?? '').length < 20),
      [],
    )
  })

  it('has code and words apart', () => {
    assert.deepEqual(piecesOf('Compare `KEY_BASE64`, see [this](x.md#y).'), [
      { text: 'Compare ', isCode: false },
      { text: 'KEY_BASE64', isCode: true },
      { text: ', see this.', isCode: false },
    ])
  })
})

describe('a list of thousands', () => {
  it('draws the rows in sight, and some beside', () => {
    assert.deepEqual(windowOf(5000, 200, 50, 800), { from: 0, to: 20 })
    const { from, to } = windowOf(5000, -100_000, 50, 800)
    assert.ok(from === 1992 && to === 2024, `${from} ${to}`)
    // Scrolled past its end, after rows went.
    assert.deepEqual(windowOf(300, -100_000, 50, 800), { from: 299, to: 300 })
    // Few are all drawn.
    assert.deepEqual(windowOf(3, -100_000, 50, 800), { from: 0, to: 3 })
    assert.deepEqual(windowOf(0, 0, 50, 800), { from: 0, to: 0 })
  })

  it('is sorted and filtered fast enough for a key press', () => {
    const grants = Array.from({ length: 5000 }, (_, i) =>
      grant(`g:${i}`, {
        source: `10.0.${i >> 8}.${i & 255}`,
        name: `user-${i % 700}`,
        until: new Date(NOW + i).toISOString(),
      }),
    )
    const began = performance.now()
    const found = shownGrants(grants, 'user-69', { by: 'source', isDown: true })
    assert.ok(performance.now() - began < 500)
    assert.equal(found.length, grants.filter(({ name }) => name?.includes('user-69')).length)
    assert.equal(found.at(-1)?.source, '10.0.0.69')
  })

  it('has IPv4 addresses in the order of their numbers, and grants without an end last', () => {
    const given = ['192.0.2.10', '192.0.2.9', '2001:db8::1'].map((source, i) => grant(`g:${i}`, { source }))
    const sources = shownGrants(given, '', { by: 'source', isDown: false }).map(({ source }) => source)
    assert.deepEqual(sources, ['192.0.2.9', '192.0.2.10', '2001:db8::1'])
    const ends = shownGrants([grant('g:1', { until: null }), grant('g:2')], '', { by: 'left', isDown: false })
    assert.deepEqual(
      ends.map(({ id }) => id),
      ['g:2', 'g:1'],
    )
  })

  it('counts down', () => {
    const shown = [-5, 0, 999, 61_000, 3_723_000, 90_000_000].map(timeLeft)
    assert.deepEqual(shown, ['0:00', '0:00', '0:01', '1:01', '1:02:03', '1 d 01:00'])
    assert.deepEqual([59, 60, 120, 300, 3600, 7200].map(span), ['59 s', '60 s', '2 min', '5 min', '60 min', '2 h'])
  })
})

describe('refusals over time', () => {
  it('are bars of the most frequent codes and of all others', () => {
    const codes = ['A', 'B', 'C', 'D', 'E', 'F'].map((code, i) => ({ code, count: 10 - i }))
    const steps = [
      { at: '2026-11-26T12:01:00.000Z', codes: { A: 3, E: 1, F: 2 } },
      { at: '2026-11-26T12:01:30.000Z', codes: { A: 1 } },
    ]
    const chart = chartOf({ steps, codes, sources: [] }, NOW, NOW + 180_000, 60_000)
    assert.deepEqual(chart.codes, ['A', 'B', 'C', 'D', OTHER])
    assert.deepEqual(
      chart.bars.map(({ parts }) => parts),
      [
        [0, 0, 0, 0, 0],
        [4, 0, 0, 0, 3],
        [0, 0, 0, 0, 0],
      ],
    )
    assert.equal(chart.most, 7)
    assert.deepEqual([0, 1, 3, 7, 21, 600].map(roundUp), [1, 1, 5, 10, 50, 1000])
  })
})

describe('the history', () => {
  it('has its filters in the request, with times of UTC', () => {
    const filters = filtersIn({ q: ' ssh ', verdict: 'refused', code: '', other: 'x', from: '2026-11-26T12:00' })
    assert.deepEqual(Object.keys(filters), ['q', 'verdict', 'from'])
    const query = new URLSearchParams(historyQuery(filters, 17))
    assert.equal(query.get('q'), 'ssh')
    assert.equal(query.get('from'), new Date('2026-11-26T12:00').toISOString())
    assert.equal(query.get('before'), '17')
  })
})

describe('users', () => {
  const user = (name: string, more: object = {}) => ({
    ...{
      name,
      state: 'on' as const,
      opens: ['tcp/22'],
      expires: null,
      lastKnock: null,
      openGrants: 0,
      invitation: null,
    },
    ...more,
  })

  it('are sorted by the last knock, those that never knocked last', () => {
    const users = [
      user('a'),
      user('b', { lastKnock: { at: AT } }),
      user('c', { lastKnock: { at: '2026-11-26T13:00:00Z' } }),
    ]
    const names = shownUsers(users, '', { by: 'last', isDown: false }).map(({ name }) => name)
    assert.deepEqual(names, ['c', 'b', 'a'])
  })

  it('are on, disabled, or ended', () => {
    assert.equal(stateWord(user('a'), NOW), 'on')
    assert.equal(stateWord(user('a', { state: 'off' }), NOW), 'disabled')
    assert.match(stateWord(user('a', { expires: '2026-11-27T00:00:00Z' }), NOW), /^on until /)
    assert.match(stateWord(user('a', { expires: '2026-11-25T00:00:00Z' }), NOW), /^ended /)
  })

  it('of the audit log are named as it says', () => {
    assert.equal(
      actorText({ via: 'console', uid: 997, name: 'ada', from: '192.0.2.9' }),
      'ada, from 192.0.2.9, through the console',
    )
    assert.equal(
      actorText({ via: 'command', uid: 0, loginUid: 1000 }),
      'uid 0, logged in as uid 1000, through the command',
    )
  })
})
