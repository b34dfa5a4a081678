import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseCommandLine } from './parse-command-line.ts'

const table = {
  access: { short: 'A', value: 'PROTO/PORT', repeatable: true },
  'source-ip': { short: 's' },
  'fw-timeout': { short: 'f', value: 'SECONDS' },
  'rand-port': { short: 'r', aliases: ['random-port'] },
  verbose: { short: 'v', repeatable: true },
  key: { short: 'k', value: 'TEXT' },
  gpg: { short: 'g', unsupported: 'use a shared key' },
} as const

const parse = (...argv: string[]) => parseCommandLine(table, { required: ['HOST'] }, argv)

describe('the command line', () => {
  const understood: [string[], Record<string, unknown>, string[]][] = [
    [[], { 'source-ip': 0, 'fw-timeout': undefined, access: [] }, []],
    [['-A', 'tcp/22', '--access=udp/53'], { access: ['tcp/22', 'udp/53'] }, []],
    [['-Atcp/22', '-f', '30'], { access: ['tcp/22'], 'fw-timeout': '30' }, []],
    [['-srv', '-v'], { 'source-ip': 1, 'rand-port': 1, verbose: 2 }, []],
    [['-rf30'], { 'rand-port': 1, 'fw-timeout': '30' }, []],
    [['--random-port'], { 'rand-port': 1 }, []],
    [['host', '-s'], { 'source-ip': 1 }, ['host']],
    [['--', '-s'], { 'source-ip': 0 }, ['-s']],
    [['-f', '-'], { 'fw-timeout': '-' }, []],
    [['--fw-timeout=-5'], { 'fw-timeout': '-5' }, []],
  ]
  for (const [argv, options, operands] of understood)
    it(`${argv.join(' ') || '(nothing)'} is understood`, () => {
      const result = parse(...argv)
      assert.ok(result.ok, result.ok ? '' : result.failure.detail)
      for (const [name, value] of Object.entries(options))
        assert.deepEqual((result.value.options as Record<string, unknown>)[name], value, name)
      assert.deepEqual(result.value.operands, operands)
    })

  const refused: [string[], RegExp, string | undefined][] = [
    [['--acess', 'tcp/22'], /no option --acess/, '--access'],
    [['--fw-timout=3'], /no option --fw-timout/, '--fw-timeout'],
    [['--zzzzzz'], /no option --zzzzzz/, undefined],
    [['-x'], /no option -x/, undefined],
    [['-S'], /no option -S/, '-s'],
    [['-rx'], /no option -x \(in -rx\)/, undefined],
    [['-source-ip'], /no option -/, '--source-ip'],
    [['-f'], /^-f needs a value: -f SECONDS$/, undefined],
    [['--fw-timeout='], /^--fw-timeout needs a value/, undefined],
    [['-f', '-s'], /^-f needs a value \(SECONDS\), and -s is an option$/, undefined],
    [['-f', '-5'], /“-5” looks like an option/, undefined],
    [['-k', '-5'], /“-5” looks like an option/, '-k-5'],
    [['--key', '-xyz'], /“-xyz” looks like an option/, '--key=-xyz'],
    [['-f', '1', '-f', '2'], /-f is given twice/, undefined],
    [['-s', '-s'], /-s is given twice/, undefined],
    [['--source-ip=1.2.3.4'], /--source-ip takes no value/, undefined],
    [['host', '-s', '1.2.3.4'], /unexpected argument “1.2.3.4”: -s takes no value/, undefined],
    [['host', '-f30', 'x'], /unexpected argument “x”$/, undefined],
    [['host', '-rs', 'x'], /unexpected argument “x”: -s takes no value/, undefined],
    [['host', 'access'], /unexpected argument “access”/, '--access'],
    [['-g'], /-g is fwknop's and not supported yet: use a shared key/, undefined],
    [['--gpg=x'], /not supported yet/, undefined],
  ]
  for (const [argv, detail, suggestion] of refused)
    it(`${argv.join(' ')} is refused`, () => {
      const result = parse(...argv)
      assert.ok(!result.ok)
      assert.equal(result.failure.code, 'CLI_USAGE')
      assert.match(result.failure.detail, detail)
      assert.equal(result.failure.suggestion, suggestion)
    })

  it('says where another program’s options go', () => {
    const rule = { required: ['HOST'], rest: 'ARGUMENTS', otherOptions: 'theirs go after HOST' }
    for (const argv of [
      ['-i', 'key', 'host'],
      ['-G', 'host'],
      ['-g', 'host'],
      ['--login', 'host'],
    ]) {
      const result = parseCommandLine(table, rule, argv)
      assert.ok(!result.ok)
      assert.match(result.failure.detail, /; theirs go after HOST$/)
      assert.equal(result.failure.suggestion, undefined)
    }
  })

  it('leaves words after the last operand alone where any may follow', () => {
    const result = parseCommandLine(table, { required: ['HOST'], rest: 'ARGUMENTS' }, [
      '-s',
      'host',
      '-p',
      '22',
      '--acess',
    ])
    assert.ok(result.ok)
    assert.deepEqual(result.value.operands, ['host', '-p', '22', '--acess'])
    assert.equal(result.value.options['source-ip'], 1)
  })
})
