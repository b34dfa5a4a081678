import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { GENERATIONS } from '../../test/support/scans.ts'
import { parseScan } from './nmap-result.ts'
import { escapeXml, tagsOf } from './xml.ts'

const problemOf = (text: string): string | undefined => {
  const last = [...tagsOf(text)].at(-1)
  return last !== undefined && 'problem' in last ? last.problem : undefined
}
const attribute = (value: string): string | undefined => {
  const [tag] = tagsOf(`<a b="${value}"/>`)
  return tag !== undefined && 'attributes' in tag ? tag.attributes['b'] : undefined
}

describe('XML from another host', () => {
  it('has its references resolved', () => {
    assert.equal(attribute('&lt;&gt;&amp;&quot;&apos;&#x41;&#66;&#x1F600;'), '<>&"\'AB😀')
  })
  it('is read as it was written', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => attribute(escapeXml(text)) === text))
  })

  const deep = (depth: number): string => `${'<a>'.repeat(depth)}${'</a>'.repeat(depth)}`
  for (const [what, text, problem] of [
    ['entities that it declares', '<!DOCTYPE a [<!ENTITY x "y">]><a b="&x;"/>', /DOCTYPE declares/],
    ['a billion laughs', '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>', /DOCTYPE declares/],
    ['a file of this host', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', /DOCTYPE declares/],
    ['an entity of a parameter', '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://192.0.2.1/"> %x;]><a/>', /DOCTYPE declares/],
    ['a second DOCTYPE', '<!DOCTYPE a><!DOCTYPE a><a/>', /DOCTYPE/],
    ['a DOCTYPE inside', '<a><!DOCTYPE a></a>', /DOCTYPE/],
    ['an entity of nobody', '<a b="&nbsp;"/>', /entity/],
    ['an entity in its text', '<a>&nbsp;</a>', /entity/],
    ['an entity by a name of Object', '<a b="&toString;"/>', /entity/],
    ['a reference without an end', '<a b="&amp"/>', /entity/],
    ['half of a character', '<a b="&#xd800;"/>', /entity/],
    ['no character', '<a b="&#x110000;"/>', /entity/],
    ['CDATA', '<a><![CDATA[x]]></a>', /not well-formed/],
    ['depth', deep(65), /too deep/],
    ['endless depth', '<a>'.repeat(1_000_000), /too deep/],
    ['many attributes', `<a ${Array.from({ length: 65 }, (_, n) => `a${n}="b"`).join(' ')}/>`, /too many attributes/],
    ['millions of attributes', `<a${' b=""'.repeat(2_500_000)}/>`, /not well-formed/],
    ['an attribute twice', '<a b="1" b="2"/>', /“b” twice/],
    ['a second document', '<a/><b/>', /second document/],
    ['text after it', '<a/>x', /outside/],
    ['an element that does not end', '<a><b></b>', /not well-formed/],
    ['elements that cross', '<a><b></a></b>', /not well-formed/],
    ['a < in a value', '<a b="<"/>', /not well-formed/],
    ['a comment without an end', '<a><!-- </a>', /not well-formed/],
  ] as const)
    it(`is refused with ${what}`, () => assert.match(problemOf(text) ?? 'nothing', problem))

  it('is not refused at the limits', () => {
    assert.equal(problemOf(deep(64)), undefined)
    assert.equal(problemOf('<!DOCTYPE a PUBLIC "b" "https://c"><a/>'), undefined)
    assert.equal(problemOf('<!DOCTYPE a SYSTEM "b"><a/>'), undefined)
  })

  it('never makes a reader throw, nor take long', () => {
    const started = performance.now()
    const whole = Object.values(GENERATIONS).map((write) =>
      write({
        listed: { 80: 'open' },
        extra: { filtered: [999, '1-79,81-1000'] },
        scripts: { 80: '<script id="banner" output="&lt;x"><elem key="a">b</elem></script>' },
      }),
    )
    for (const text of whole) assert.ok(parseScan(text).ok)
    const piece = fc.constantFrom(
      ...[
        '<a>',
        '</a>',
        '<a/>',
        '<!DOCTYPE a',
        '[',
        ']>',
        '<!ENTITY x "y">',
        '&x;',
        '&#',
        '&lt;',
        '<!--',
        '-->',
        '<?',
        '?>',
        '"',
        "'",
        '=',
        ' ',
      ],
    )
    const changed = fc
      .tuple(fc.constantFrom(...whole), fc.nat(2500), fc.nat(20), fc.oneof(piece, fc.string({ maxLength: 5 })))
      .map(([text, at, gone, put]) => text.slice(0, at) + put + text.slice(at + gone))
    const mixed = fc.array(fc.oneof(piece, fc.string()), { maxLength: 40 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(changed, mixed), (text) => {
        const parsed = parseScan(text)
        return problemOf(text)?.length !== 0 && (parsed.ok || parsed.failure.code === 'SCAN_INVALID')
      }),
      { numRuns: 2000 },
    )
    for (const text of [
      `<a${' a="b"'.repeat(200_000)}`,
      `<a b="${'&'.repeat(1_000_000)}"/>`,
      `<a>${'&lt'.repeat(300_000)}</a>`,
      `<!DOCTYPE ${'a '.repeat(300_000)}`,
      `<!DOCTYPE a PUBLIC "${'a'.repeat(300_000)}`,
      '<?'.repeat(300_000),
      `<a ${' '.repeat(300_000)}`,
    ])
      assert.ok(problemOf(text) !== undefined)
    assert.ok(performance.now() - started < 15_000, `${performance.now() - started}`)
  })
})
