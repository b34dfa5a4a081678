import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { unixSeconds } from '../../units.ts'
import {
  appendStanza,
  confirmed,
  disabled,
  enabled,
  invited,
  marksOf,
  removeStanza,
  replacedKeys,
  replaceStanza,
  type StanzaPlace,
  stanzaLines,
  withKeys,
} from './edit-stanza.ts'

const name = (text: string): StanzaName => {
  const parsed = parseStanzaName(text)
  assert.ok(parsed.ok)
  return parsed.value
}
const file = 'access.conf'
const text = `# head

# Ada’s
SOURCE ANY
  NAME: ada;
# inside
ACCESS_EXPIRE 12/31/2037
KEY_BASE64 a2V5

SOURCE 10.0.0.0/8
NAME bob
KEY other
# tail
`
const ada = { file, first: 4, last: 8 }
const bob = { file, first: 10, last: 12 }

/** In the text of a file. */
function removed(text: string, place: StanzaPlace): string {
  const lines = text.split('\n')
  removeStanza(lines, place)
  return lines.join('\n')
}

function replaced(text: string, place: StanzaPlace, edit: Parameters<typeof replaceStanza>[2]): string {
  const lines = text.split('\n')
  replaceStanza(lines, place, edit)
  return lines.join('\n')
}

describe('a stanza of access.conf is edited', () => {
  it('added at the end, after a blank line, in the line ends of the file', () => {
    assert.equal(appendStanza('', ['SOURCE ANY']), 'SOURCE ANY\n')
    assert.equal(appendStanza('# x', ['SOURCE ANY', 'KEY k']), '# x\n\nSOURCE ANY\nKEY k\n')
    assert.equal(appendStanza('# x\n\n', ['SOURCE ANY']), '# x\n\nSOURCE ANY\n')
    assert.equal(appendStanza('# x\r\n', ['SOURCE ANY']), '# x\r\n\r\nSOURCE ANY\r\n')
  })

  it('removed, and other comments stay', () => {
    assert.equal(removed(text, ada), text.replace(/SOURCE ANY[\s\S]*a2V5\n/, ''))
    assert.equal(removed(text, bob), text.replace(/SOURCE 10[\s\S]*other\n/, ''))
    const added = appendStanza(text, ['SOURCE ANY', 'KEY k'])
    assert.equal(removed(added, { file, first: 15, last: 16 }), text)
    const two = 'SOURCE ANY\nKEY a\n\nSOURCE ANY\nKEY b\n\nSOURCE ANY\nKEY c\n'
    assert.equal(removed(two, { file, first: 4, last: 5 }), 'SOURCE ANY\nKEY a\n\nSOURCE ANY\nKEY c\n')
  })

  for (const [what, place] of [
    ['with an end', ada],
    ['without an end', bob],
  ] as const)
    for (const end of ['\n', '\r\n'])
      it(`disabled and enabled again is the same text: ${what}, ${JSON.stringify(end)}`, () => {
        const whole = text.replaceAll('\n', end)
        const off = replaced(whole, place, disabled)
        const longer = { ...place, last: place.last + (place === ada ? 1 : 2) }
        assert.deepEqual(marksOf(stanzaLines(off, longer)), { isDisabled: true, isInvited: false })
        assert.match(off, /ACCESS_EXPIRE_EPOCH 1\r?\n/)
        if (place === ada) assert.doesNotMatch(off, /^ACCESS_EXPIRE /m)
        assert.equal(replaced(off, longer, enabled), whole)
      })

  for (const [what, place] of [
    ['with an end', ada],
    ['without an end', bob],
  ] as const)
    for (const end of ['\n', '\r\n'])
      it(`invited and confirmed is the same text, also if disabled between: ${what}, ${JSON.stringify(end)}`, () => {
        const whole = text.replaceAll('\n', end)
        const waits = replaced(whole, place, (lines) => invited(lines, unixSeconds(1_800_000_000)))
        const longer = { ...place, last: place.last + (place === ada ? 1 : 2) }
        assert.deepEqual(marksOf(stanzaLines(waits, longer)), { isDisabled: false, isInvited: true })
        assert.match(waits, /^ACCESS_EXPIRE_EPOCH +1800000000\r?$/m)
        if (place === ada) assert.doesNotMatch(waits, /^ACCESS_EXPIRE /m)
        const off = replaced(waits, longer, disabled)
        const still = { ...longer, last: longer.last + 1 }
        assert.deepEqual(marksOf(stanzaLines(off, still)), { isDisabled: true, isInvited: false })
        assert.equal(replaced(off, still, enabled), waits)
        assert.equal(replaced(waits, longer, confirmed), whole)
      })

  it('a stanza whose end was changed by hand is not disabled', () => {
    const off = replaced(text, ada, disabled).replace('EPOCH 1\n', 'EPOCH 2145830400\n')
    assert.equal(marksOf(stanzaLines(off, { ...ada, last: 9 })).isDisabled, false)
  })

  it('old keys have an end and another name; the stanza can be disabled and enabled all the same', () => {
    const old = replacedKeys(stanzaLines(text, bob), name('bob'), name('bob.old-20261126'), unixSeconds(99))
    assert.deepEqual(old, [
      'SOURCE 10.0.0.0/8',
      'NAME                bob.old-20261126',
      '# ghostport: old keys of bob',
      'ACCESS_EXPIRE_EPOCH 99',
      'KEY other',
    ])
    assert.equal(marksOf(old).oldKeysOf, 'bob')
    assert.deepEqual(enabled(disabled(old)), old)
    assert.equal(marksOf(disabled(old)).oldKeysOf, 'bob')
  })

  it('other keys take the place of the keys, and of a file of keys', () => {
    assert.deepEqual(
      withKeys(
        ['SOURCE ANY', 'KEY a', '# c', 'HMAC_KEY b', 'HMAC_DIGEST_TYPE sha512', 'OPEN_PORTS tcp/1'],
        ['K 1', 'H 2'],
      ),
      [...['SOURCE ANY', 'K 1', 'H 2', '# c', 'OPEN_PORTS tcp/1']],
    )
    assert.deepEqual(withKeys(['SOURCE ANY', 'NAME x', '%include_keys f'], ['K 1']), ['SOURCE ANY', 'NAME x', 'K 1'])
  })
})
