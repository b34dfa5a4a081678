import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Grant, grantId, type Opening } from '../access/grant.ts'
import type { StanzaId } from '../access/stanza.ts'
import type { StanzaName } from '../access/stanza-name.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Username } from '../packet/message.ts'
import { type Port, seconds } from '../units.ts'
import { Book, type Change, type Instant } from './book.ts'
import { shareOfOneSource } from './holdings.ts'

const at = (ms: number): Instant => ms as Instant

function grant(source: string, openings: readonly Opening[], lifetime: number, firstHand = false): Grant {
  return {
    id: grantId(source as IpAddress, openings),
    stanza: 1 as StanzaId,
    source: source as IpAddress,
    firstHand,
    openings,
    lifetime: seconds(lifetime),
    username: 'alice' as Username,
  }
}

const access = (port: number): Opening => ({ kind: 'access', protocol: 'tcp', port: port as Port })
const ghost = (from: number, to: number): Opening => ({
  kind: 'ghost',
  protocol: 'tcp',
  publicPort: from as Port,
  localPort: to as Port,
})
const forward = (from: number, translation: 'none' | 'masquerade'): Opening => ({
  kind: 'forward',
  protocol: 'tcp',
  publicPort: from as Port,
  target: { address: '10.0.0.5' as IpAddress, port: 22 as Port },
  translation,
})

for (const [what, first, second, allowed] of [
  ['the same ghost', [ghost(80, 22)], [ghost(80, 22), access(25)], true],
  ['two ghosts at one port', [ghost(80, 22)], [ghost(80, 25)], false],
  ['a ghost at a port that is open itself', [access(80)], [ghost(80, 22)], false],
  ['an inner host at a port that shows a ghost', [ghost(80, 22)], [forward(80, 'none')], false],
  ['one inner host at two ports', [forward(80, 'none')], [forward(81, 'none')], true],
  ['one inner host, seen in two ways', [forward(80, 'none')], [forward(81, 'masquerade')], false],
  ['two places in one grant', [access(25)], [ghost(80, 22), ghost(80, 443)], false],
  ['the same port twice in one grant', [access(25)], [access(22), access(22)], true],
] as const) {
  test(`${what}: ${allowed ? 'fine' : 'refused'}`, () => {
    const book = new Book(10)
    assert.ok(book.admit(grant('192.0.2.1', first, 30), at(0)).ok)
    const result = book.admit(grant('192.0.2.1', second, 30), at(0))
    assert.equal(result.ok ? 'ok' : result.failure.code, allowed ? 'ok' : 'FIREWALL_REFUSED')
    assert.ok(book.admit(grant('192.0.2.2', second, 30), at(0)).ok || what === 'two places in one grant')
    // An ended grant does not block others.
    assert.ok(book.admit(grant('192.0.2.1', second, 30), at(30_000)).ok || what === 'two places in one grant')
  })
}

test('a refusal tells whose grant is in the way, by name where there is one', () => {
  for (const [name, says] of [
    [{ stanzaName: 'bob' as StanzaName }, 'granted by stanza bob'],
    [{}, 'granted by stanza 1'],
  ] as const) {
    const book = new Book(10)
    assert.ok(book.admit({ ...grant('192.0.2.1', [ghost(80, 22)], 30), ...name }, at(0)).ok)
    const result = book.admit(grant('192.0.2.1', [access(80)], 30), at(0))
    assert.equal(
      result.ok || result.failure.detail,
      `192.0.2.1 tcp/80 leads to port 22 for 30 s more (${says}), not to that port itself`,
    )
  }
})

test('a grant that ousts others can be undone, and they are as they were', () => {
  const book = new Book(10)
  const other = grant('192.0.2.1', [ghost(80, 22), access(25)], 30)
  const shared = grant('192.0.2.1', [access(25)], 20)
  for (const one of [other, shared]) assert.ok(book.admit(one, at(0)).ok)
  const before = { live: book.live(at(1)), open: book.open(at(1)) }
  const own = book.admit(grant('192.0.2.1', [ghost(80, 443)], 10, true), at(1))
  assert.ok(own.ok)
  assert.deepEqual(
    own.value.ousted?.map(({ grant: { id } }) => id),
    [other.id],
  )
  assert.equal(book.lookUp('192.0.2.1 tcp/80', at(1))?.answer, 'port 443')
  // A door that another grant also holds open stays open for it.
  assert.equal(book.lookUp('192.0.2.1 tcp/25', at(19_000))?.answer, 'that port itself')
  assert.equal(book.lookUp('192.0.2.1 tcp/25', at(25_000)), undefined)
  book.undo(own.value, at(1))
  const byKey = (doors: ReturnType<Book['open']>) => doors.toSorted((a, b) => (a.door.key < b.door.key ? -1 : 1))
  assert.deepEqual(byKey(book.open(at(1))), byKey(before.open))
  assert.deepEqual(new Set(book.live(at(1))), new Set(before.live))
})

test('a first-hand grant stays first-hand when another asks for the same', () => {
  const book = new Book(10)
  for (const firstHand of [true, false]) {
    assert.ok(book.admit(grant('192.0.2.1', [ghost(80, 22)], 30, firstHand), at(0)).ok)
  }
  assert.ok(!book.admit(grant('192.0.2.1', [ghost(80, 25)], 30, true), at(0)).ok)
})

test('a door that has ended, and is asked for again, takes a place like any other', () => {
  const book = new Book(3)
  assert.ok(book.admit(grant('192.0.2.1', [ghost(80, 22)], 1), at(0)).ok)
  assert.ok(book.admit(grant('192.0.2.1', [access(81), access(22)], 1), at(500)).ok)
  const result = book.admit(grant('192.0.2.1', [access(25), access(80), access(22)], 1), at(1_000))
  assert.equal(result.ok ? 'ok' : result.failure.code, 'FIREWALL_FULL')
})

test('grants for one address have a share; in IPv6 for one network of 64 bits', () => {
  const share = shareOfOneSource(10_000)
  assert.equal(share, 625)
  for (const sources of [() => '192.0.2.1', (n: number) => `fd00::${n.toString(16)}`]) {
    const book = new Book(10_000)
    for (let n = 1; n <= share; n++) assert.ok(book.admit(grant(sources(n), [access(n)], 30), at(0)).ok)
    const result = book.admit(grant(sources(1), [access(9_999)], 30), at(0))
    assert.equal(result.ok || result.failure.code, 'FIREWALL_FULL')
    assert.match(
      result.ok ? '' : result.failure.detail,
      /^grants for \S+ have 625 of the 625 places that one address may have/,
    )
    assert.ok(book.admit(grant('192.0.2.2', [access(22)], 30), at(0)).ok)
    const own = book.admit(grant(sources(1), [access(9_999)], 30, true), at(0))
    assert.equal(own.ok && own.value.displaced?.length, 1, 'but who asks for the own address displaces another’s')
  }
})

test('a packet that asks for more than there can be displaces nothing', () => {
  const book = new Book(3)
  for (const number of [1, 2, 3]) assert.ok(book.admit(grant('192.0.2.1', [access(number)], 30), at(0)).ok)
  const ports = [1, 2, 3, 4].map(access)
  assert.ok(!book.admit({ ...grant('192.0.2.2', ports, 30, true), stanza: 2 as StanzaId }, at(0)).ok)
  assert.equal(book.live(at(0)).length, 3)
})

test('whoever asks, and however often, no stanza loses what it has to one that has more', () => {
  const asked = fc.record({
    stanza: fc.integer({ min: 1, max: 3 }),
    source: fc.integer({ min: 1, max: 3 }),
    ports: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
    firstHand: fc.boolean(),
    lifetime: fc.integer({ min: 1, max: 30 }),
  })
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 80 }), (steps) => {
      const book = new Book(8)
      for (const { stanza, source, ports, firstHand, lifetime } of steps) {
        const places = (): Map<number, number> => {
          const sum = new Map<number, number>()
          for (const entry of book.live(at(0)))
            sum.set(entry.grant.stanza, (sum.get(entry.grant.stanza) ?? 0) + entry.places)
          return sum
        }
        const before = places()
        const one = grant(`192.0.2.${source}`, ports.map(access), lifetime, firstHand)
        const admitted = book.admit({ ...one, stanza: stanza as StanzaId }, at(0))
        const total = [...places().values()].reduce((sum, count) => sum + count, 0)
        assert.ok(total <= 8, 'the capacity is kept')
        if (!admitted.ok) assert.deepEqual(places(), before, 'a refusal changes nothing')
        else
          for (const { grant: lost } of admitted.value.displaced ?? []) {
            assert.ok((before.get(lost.stanza) ?? 0) >= (before.get(stanza) ?? 0))
            assert.ok(firstHand || lost.stanza !== stanza)
          }
      }
    }),
  )
})

/** A simple model that the book must agree with: who asked for what, until when. */
type Model = Map<string, { grant: Grant; until: number }>

const someGrant = fc
  .record({
    source: fc.constantFrom('192.0.2.1', '192.0.2.2', 'fd00::1'),
    openings: fc.uniqueArray(fc.constantFrom(access(22), access(25), ghost(80, 22), access(80), forward(81, 'none')), {
      minLength: 1,
      maxLength: 3,
    }),
    lifetime: fc.integer({ min: 1, max: 10 }),
  })
  .map(({ source, openings, lifetime }) => grant(source, openings, lifetime))
const step = fc.record({
  pass: fc.integer({ min: 0, max: 4_000 }),
  grant: someGrant,
  what: fc.constantFrom('admit' as const, 'revoke' as const, 'undo' as const),
})

test('whatever comes in whatever order, the book is what was admitted and has neither ended nor been revoked', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const book = new Book(1_000)
      const model: Model = new Map()
      let now = at(0)
      for (const { pass, grant: asked, what } of steps) {
        now = at(now + pass)
        for (const [id, { until }] of model) if (until <= now) model.delete(id)
        if (what === 'revoke') {
          assert.equal(book.revoke(asked.id, now) !== undefined, model.delete(asked.id))
        } else {
          const before = snapshot(book, now)
          const admitted = book.admit(asked, now)
          if (!admitted.ok) assert.deepEqual(snapshot(book, now), before, 'a refusal changes nothing')
          else if (what === 'undo') {
            book.undo(admitted.value, now)
            assert.deepEqual(snapshot(book, now), before, 'undone is as it was')
          } else {
            const until = Math.max(model.get(asked.id)?.until ?? 0, now + asked.lifetime * 1000)
            model.set(asked.id, { grant: asked, until })
          }
        }
        assert.deepEqual(
          new Map(
            book.live(now).map((entry) => [entry.grant.id as string, { grant: entry.grant, until: entry.until }]),
          ),
          model,
        )
        assert.deepEqual(doorsOfBook(book, now), doorsOfModel(model))
      }
    }),
  )
})

test('the changes that it reports, done one after the other, are what is open', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const book = new Book(3)
      const doors = new Map<string, number>()
      let now = at(0)
      for (const { pass, grant: asked, what } of steps) {
        now = at(now + pass)
        let change: Change | undefined
        if (what === 'revoke') change = book.revoke(asked.id, now)
        else {
          const admitted = book.admit(asked, now)
          if (admitted.ok) change = admitted.value
        }
        for (const { door, from, to } of change?.doors ?? []) {
          const known = doors.get(door.key) ?? 0
          assert.equal(known > now ? known : undefined, from !== undefined && from > now ? from : undefined)
          if (to === undefined) doors.delete(door.key)
          else doors.set(door.key, to)
        }
        for (const [key, until] of doors) if (until <= now) doors.delete(key)
        assert.deepEqual(doorsOfBook(book, now), doors)
        const ways = [...doors.keys()].filter((key) => !key.includes(' to '))
        assert.ok(ways.filter((key) => !key.startsWith('fd00')).length <= 3, 'the capacity is kept')
      }
    }),
  )
})

function snapshot(book: Book, now: Instant): unknown {
  return { live: new Map(book.live(now).map((entry) => [entry.grant.id, entry])), doors: doorsOfBook(book, now) }
}

function doorsOfBook(book: Book, now: Instant): Map<string, number> {
  return new Map(book.open(now).map(({ door, until }) => [door.key, until]))
}

function doorsOfModel(model: Model): Map<string, number> {
  const doors = new Map<string, number>()
  const note = (key: string, until: number): void => {
    doors.set(key, Math.max(until, doors.get(key) ?? 0))
  }
  for (const { grant: held, until } of model.values()) {
    for (const opening of held.openings) {
      assert.ok(opening.kind !== 'transit' && opening.kind !== 'divert')
      note(`${held.source} tcp/${opening.kind === 'access' ? opening.port : opening.publicPort}`, until)
      if (opening.kind === 'forward') note(`${held.source} tcp to 10.0.0.5 port 22`, until)
    }
  }
  return doors
}
