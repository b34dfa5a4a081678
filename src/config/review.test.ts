import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { filesFromSnapshot } from './reading/config-files.ts'
import { reviewConfig } from './review.ts'

const CONF = '/etc/fwknop/fwknopd.conf'
const ACCESS = '/etc/fwknop/access.conf'

/** `LINE CODE`, for the server’s file with `conf:` before it. */
function faultsOf(conf: string, access: string, more: Record<string, string> = {}): readonly string[] {
  return review(conf, access, more).faults.map(
    ({ code, at }) => `${at === undefined ? '' : `${at.file === CONF ? 'conf:' : ''}${at.line} `}${code}`,
  )
}

function review(conf: string, access: string, more: Record<string, string> = {}) {
  const files = filesFromSnapshot({ texts: { [CONF]: conf, [ACCESS]: access, ...more }, folders: {}, failures: {} })
  return reviewConfig(files, { server: CONF })
}

const GOOD = 'SOURCE ANY\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/22\n'

describe('a review of a configuration', () => {
  it('of a good one has what a start loads, and no faults', () => {
    const { faults, loaded } = review('', GOOD)
    assert.deepEqual(faults, [])
    assert.equal(loaded?.policy.stanzas.length, 1)
  })
  it('of a faulty one has nothing to load', () => {
    assert.equal(review('NONSENSE 1;', GOOD).loaded, undefined)
  })

  const cases: readonly { name: string; conf?: string; access?: string; faults: readonly string[] }[] = [
    {
      name: 'faults of both files, and of each line',
      conf: 'NONSENSE 1;\nMAX_SNIFF_BYTES many;\n=== no line ===\n',
      access: 'SOURCE ANY\nKEY one\nOPEN_PORTS tcp/0\nFW_ACCESS_TIMEOUT soon\nHMAC_KEY two\n',
      faults: [
        'conf:1 CONFIG_UNKNOWN_KEY',
        'conf:2 CONFIG_INVALID_VALUE',
        'conf:3 CONFIG_SYNTAX',
        '3 CONFIG_INVALID_VALUE',
        '4 CONFIG_INVALID_VALUE',
      ],
    },
    {
      name: 'a key that is wrong, and not its stanza for having none then',
      access: `SOURCE ANY\nKEY_BASE64 @@\nHMAC_KEY two\n${GOOD}`,
      faults: ['2 KEY_INVALID'],
    },
    {
      name: 'each stanza without a key, once',
      access: `SOURCE ANY\nOPEN_PORTS tcp/0\n\nSOURCE 10.0.0.1\nHMAC_KEY x\n${GOOD}`,
      faults: ['1 CONFIG_MISSING_KEY', '2 CONFIG_INVALID_VALUE', '4 CONFIG_MISSING_KEY'],
    },
    {
      name: 'a SOURCE that is wrong, and the rest of its stanza',
      access: 'SOURCE 10.0.0.300\nKEY one\nHMAC_KEY two\nOPEN_PORTS tcp/0\n',
      faults: ['1 CONFIG_INVALID_VALUE', '4 CONFIG_INVALID_VALUE'],
    },
    {
      name: 'a SOURCE that is wrong in a stanza without a key',
      access: 'SOURCE 10.0.0.300\nHMAC_KEY two\n',
      faults: ['1 CONFIG_INVALID_VALUE', '1 CONFIG_MISSING_KEY'],
    },
    {
      name: 'a setting before the first stanza',
      access: `KEY one\nHMAC_KEY two\n${GOOD}`,
      faults: ['1 CONFIG_SYNTAX', '2 CONFIG_SYNTAX'],
    },
    {
      name: 'a setting that is there twice',
      access: `${GOOD}OPEN_PORTS tcp/23\nKEY three\n`,
      faults: ['5 CONFIG_CONFLICT', '6 CONFIG_CONFLICT'],
    },
    {
      name: 'a target that is wrong, and that NAT is not enabled for it',
      access: 'SOURCE ANY\nKEY one\nHMAC_KEY two\nFORCE_NAT Y\n',
      faults: ['1 CONFIG_CONFLICT', '4 CONFIG_INVALID_VALUE'],
    },
    {
      name: 'a target for which NAT is not enabled, once',
      access: 'SOURCE ANY\nKEY one\nHMAC_KEY two\nFORCE_NAT 10.0.0.5 22\n',
      faults: ['1 CONFIG_CONFLICT'],
    },
    {
      name: 'an address that is wrong, what it needs, and a stanza without a key',
      access: 'SOURCE ANY\nFORCE_SNAT a\n',
      faults: ['1 CONFIG_MISSING_KEY', '2 CONFIG_INVALID_VALUE', '2 CONFIG_CONFLICT'],
    },
    {
      name: 'an address that is wrong, and nothing about what it is read as meanwhile',
      conf: 'ENABLE_IPT_FORWARDING Y;\n',
      access: 'SOURCE ANY\nKEY one\nHMAC_KEY two\nFORCE_NAT 2001:db8::5 22\nFORCE_SNAT a\n',
      faults: ['5 CONFIG_INVALID_VALUE'],
    },
    { name: 'no stanza', access: '# nothing\n', faults: ['1 CONFIG_MISSING_KEY'] },
    { name: 'a file that is included and not there', access: '%include other.conf\n', faults: ['1 CONFIG_UNREADABLE'] },
  ]
  for (const { name, conf = '', access = GOOD, faults } of cases)
    it(`finds ${name}`, () => {
      assert.deepEqual(faultsOf(conf, access), faults)
    })

  it('finds the faults of the stanzas where the server’s file cannot be read', () => {
    const files = filesFromSnapshot({ texts: { [ACCESS]: 'SOURCE ANY\nKEI one\nKEY one' }, folders: {}, failures: {} })
    const { faults } = reviewConfig(files, { server: CONF })
    assert.deepEqual(
      faults.map(({ code }) => code),
      ['CONFIG_UNREADABLE', 'CONFIG_UNKNOWN_KEY'],
    )
  })

  it('of a few wrong lines finds all of them', () => {
    const access = GOOD + Array.from({ length: 150 }, (_, i) => `NONSENSE_${i}_X 1\n`).join('')
    const { faults, isCutOff } = review('', access)
    assert.deepEqual([faults.length, isCutOff], [150, false])
  })
  it('of hundreds of wrong lines finds the first ones, and says that there may be more', () => {
    const access = GOOD + Array.from({ length: 300 }, (_, i) => `NONSENSE_${i}_X 1\n`).join('')
    const { faults, isCutOff } = review('', access)
    assert.deepEqual([faults.length, isCutOff], [200, true])
  })
  it('of a long file finds fewer: each fault costs a reading of all lines', () => {
    const access = `${GOOD}${'# nothing\n'.repeat(200_000)}${'===\n'.repeat(100)}`
    const { faults, isCutOff } = review('', access)
    assert.deepEqual([faults.length, isCutOff], [10, true])
  })

  it('ends, whatever the files hold, and finds what a start finds', () => {
    const word = fc.constantFrom('SOURCE', 'KEY', 'HMAC_KEY', 'OPEN_PORTS', '%include', 'NAME', 'FORCE_SNAT', 'x', '#')
    const line = fc
      .tuple(word, fc.constantFrom('', 'ANY', 'tcp/22', '1.2.3.4', ';;', 'access.conf'))
      .map(([a, b]) => `${a} ${b}`)
    const text = fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n'))
    fc.assert(
      fc.property(text, text, (conf, access) => {
        const { faults, loaded } = review(conf, access)
        assert.equal(faults.length === 0, loaded !== undefined)
      }),
      { numRuns: 300 },
    )
  })
})
