/**
 * The runner of fwknop's suite, with a small suite of our own in its place that speaks as fwknop's does: verdicts,
 * cases that hang or end the suite, and that nothing leaves the namespaces. fwknop's own suite needs a checkout of
 * fwknop, so it is not here: `npm run upstream -- CHECKOUT` (README.md).
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { netnsUnavailable } from '../support/netns.ts'
import { binaries } from './binaries.ts'
import { type CaseResult, listing, runBatch } from './run-batch.ts'
import { casesOf } from './suite.ts'

const SUITE = String.raw`
use strict;
my ($include, $out) = ('', '');
while (defined(my $word = shift @ARGV)) {
  $include = shift @ARGV if $word eq '--include';
  $out = shift @ARGV if $word eq '--output-dir';
  if ($word eq '--List-mode') {
    print "[+] Starting\n[a] [client] passes (1)\n[a] fails\n[a] hangs, long\n[a] ends the suite\n[b] writes\n";
    print "[b] is for compilers (requires an --enable-* arg, see -h)\n[+] 0/0/0 test buckets passed/failed/executed\n";
    exit 0;
  }
}
mkdir $out;
$| = 1;
my %run = (
  '[a] [client] passes (1)' => sub { 1 },
  '[a] fails' => sub { 0 },
  '[a] hangs, long' => sub { sleep 600; 1 },
  '[a] ends the suite' => sub { die "no more\n" },
  '[b] writes' => sub {
    for my $path ('here', '/tmp/ghostport-upstream-canary', '/run/ghostport-upstream-canary') {
      open my $file, '>', $path or return 0;
    }
    return 0 if open my $etc, '>', '/etc/ghostport-upstream-canary';
    system('ip -o link show lo | grep -q LOWER_UP') == 0 and system('pgrep -f ghostport-upstream-outside') != 0;
  },
);
my $number = 0;
for my $name ('[a] [client] passes (1)', '[a] fails', '[a] hangs, long', '[a] ends the suite', '[b] writes') {
  next unless grep { $name =~ /$_/ } split /\s*,\s*/, $include;
  $number++;
  print "$name....";
  open my $record, '>', "$out/$number.test";
  print $record "what $name says\n";
  close $record;
  print +($run{$name}->() ? 'pass' : 'fail') . " ($number)\n";
}
print "[+] 0/0/0 test buckets passed/failed/executed\n";
`

const folder = mkdtempSync(join(tmpdir(), 'ghostport-upstream-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const checkout = join(folder, 'checkout')
mkdirSync(join(checkout, 'test'), { recursive: true })
writeFileSync(join(checkout, 'test', 'test-fwknop.pl'), SUITE)
/** No program of ours is run here. */
const program = join(folder, 'program')
mkdirSync(join(program, 'node_modules'), { recursive: true })
const cache = join(folder, 'cache')
mkdirSync(cache)

test('each case of a suite gets its verdict, also after one that hangs and one that ends the suite', {
  skip: netnsUnavailable(),
}, async () => {
  const options = { checkout, binaries: binaries.peer, program, cache, folder, signal: AbortSignal.timeout(60_000) }
  const names = casesOf(await listing(options))
  assert.deepEqual(names, [
    '[a] [client] passes (1)',
    '[a] fails',
    '[a] hangs, long',
    '[a] ends the suite',
    '[b] writes',
  ])

  const results: CaseResult[] = []
  await runBatch(names, { ...options, limit: () => 3 }, (result) => results.push(result))
  assert.deepEqual(
    results.map(({ name, verdict }) => [name, verdict]),
    [
      ['[a] [client] passes (1)', 'passed'],
      ['[a] fails', 'failed'],
      ['[a] hangs, long', 'failed'],
      ['[a] ends the suite', 'failed'],
      ['[b] writes', 'passed'],
    ],
  )
  assert.match(results[1]?.record ?? '', /what \[a\] fails says/)
  assert.match(results[2]?.record ?? '', /not over after 3 s/)
  assert.match(results[3]?.record ?? '', /no more/)
  assert.deepEqual(readdirSync(join(checkout, 'test')), ['test-fwknop.pl'])
  for (const path of ['/tmp', '/run', '/etc']) assert.ok(!existsSync(join(path, 'ghostport-upstream-canary')), path)
})

test('a suite that does not start is an error with its words', { skip: netnsUnavailable() }, async () => {
  const broken = join(folder, 'broken')
  mkdirSync(join(broken, 'test'), { recursive: true })
  writeFileSync(join(broken, 'test', 'test-fwknop.pl'), 'die "no library\\n";')
  const options = {
    checkout: broken,
    binaries: binaries.peer,
    program,
    cache,
    folder,
    signal: AbortSignal.timeout(60_000),
  }
  await assert.rejects(listing(options), /no library/)
})
