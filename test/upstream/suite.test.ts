import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cannedPackets, configurationFiles } from './canned-packets.ts'
import { compare, type Result } from './results.ts'
import { including, isAboutTheBuild, progressOf, shards, withCasesBefore } from './suite.ts'

test('names of cases become patterns that match them alone', () => {
  const names = ['[a+b] x (1), y', '[a+b] x (1), y/z', 'tcp/22,udp/53']
  const patterns = including(names).split(/\s*,\s*/)
  assert.equal(patterns.length, names.length)
  for (const [at, pattern] of patterns.entries())
    assert.deepEqual(
      names.filter((name) => new RegExp(pattern).test(name)),
      [names[at]],
    )
})

test('progress is read from the verdicts, in any number of dots and of words between', () => {
  const { ended, isOver } = progressOf('a....pass (1)\nb..\nwords\n...fail (2)\nc...')
  assert.deepEqual(ended, ['passed', 'failed'])
  assert.equal(isOver, false)
  assert.ok(progressOf('[+] 1/1/2 test buckets passed/failed/executed').isOver)
})

test('shards keep the order and lose nothing', () => {
  assert.deepEqual(shards(['a', 'b', 'c'], 2), [['a', 'b'], ['c']])
  assert.deepEqual(shards([], 2), [])
})

test('a case that looks at what another one left runs after it', () => {
  const [makes, looks] = [
    '[Rijndael] [client+server] create rc file (tcp/22 ssh)',
    '[basic operations] [client] rc file created',
  ]
  assert.deepEqual(withCasesBefore(['a', looks, 'b']), ['a', makes, looks, 'b'])
  assert.deepEqual(withCasesBefore([makes, looks]), [makes, looks])
})

test('only what the peer passes is compared, and what was not run is counted', () => {
  const passed: Result = { verdict: 'passed', seconds: 1 }
  const failed: Result = { verdict: 'failed', seconds: 1 }
  const peer = new Map([
    ['[build] x', passed],
    ['b', passed],
    ['c', failed],
    ['d', passed],
    ['e', passed],
  ])
  const ours = new Map([
    ['[build] x', failed],
    ['b', passed],
    ['c', failed],
    ['d', passed],
  ])
  assert.deepEqual(compare(peer, ours), {
    compared: 3,
    passed: 2,
    aboutTheBuild: 1,
    failed: ['[build] x'],
    missing: 1,
  })
  assert.ok(isAboutTheBuild('[build security] [client] x') && !isAboutTheBuild('[basic operations] build'))
})

test('canned packets are read from a table of cases, with the files that they are judged under', () => {
  const cases = `
    {
        'category' => 'A',
        'subcategory' => 'b',
        'detail'   => 'v1',
        'pkt' =>
            'abc' .
            'def',
        'fwknopd_cmdline' => "$fwknopdCmd -c $cf{'x'} -a $cf{'plain'} " .
            "more",
        'fw_rule_created' => $NEW_RULE_REQUIRED,
    },
    {
        'category' => 'A',
        'detail'   => "v2",
        'fuzzing_pkt' =>
            'x+' .
#            'old/' .
            '/' .  ### it was 'old/'
            'z',
        'fwknopd_cmdline' => "$fwknopdCmd -a $cf{'plain'} ",
    },
    {
        'category' => 'A',
        'detail'   => 'no packet',
        'fwknopd_cmdline' => "$fwknopdCmd -a $cf{'plain'} ",
    },
`
  assert.deepEqual(cannedPackets(cases), [
    { name: '[A] [b] v1', packet: 'abcdef', expect: 'accept', access: 'plain' },
    { name: '[A] v2', packet: 'x+/z', expect: 'reject', access: 'plain' },
  ])
  assert.deepEqual([...configurationFiles(`  'plain'  => "$conf_dir/p.conf",`)], [['plain', 'p.conf']])
})
