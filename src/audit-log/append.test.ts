import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { must } from '../../test/support/results.ts'
import { appendAudit, headPath } from './append.ts'
import { type AuditEvent, formatEntry, NO_LINE, parseEntry } from './entry.ts'
import { type AuditReport, readAudit, verifyAudit } from './verify.ts'

const folders: string[] = []
let log = ''
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-audit-'))
  folders.push(folder)
  log = join(folder, 'audit.log')
})
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const event = (to: string): AuditEvent => ({ by: { via: 'command', uid: 0 }, did: 'user add', to, after: ['NAME x'] })
const lines = (): string[] => readFileSync(log, 'utf8').split('\n').slice(0, -1)
const write = (all: readonly string[]): void => writeFileSync(log, all.map((line) => `${line}\n`).join(''))
const verified = (): AuditReport => must(verifyAudit(log))
const found = (): readonly string[] =>
  verified().findings.map(({ line, what }) => (line === undefined ? what : `${line}: ${what}`))

async function record(count: number): Promise<void> {
  for (let i = 1; i <= count; i++) must(await appendAudit(log, event(`user-${i}`)))
}

test('each line has the hash of the one before, and only root may read it', async () => {
  await record(3)
  const { lines: count, first, last, findings } = verified()
  assert.deepEqual({ count, first, seq: last?.seq, findings }, { count: 3, first: 1, seq: 3, findings: [] })
  const [entry] = must(readAudit(log))
  assert.deepEqual({ ...entry, time: '' }, { seq: 1, time: '', prev: NO_LINE, ...event('user-1') })
  assert.equal(statSync(log).mode & 0o777, 0o600)
})

const tampered: readonly (readonly [string, (all: string[]) => readonly string[], RegExp])[] = [
  ['a changed line', (all) => all.with(1, all[1]?.replace('user-2', 'user-7') ?? ''), /^3: the line before it/],
  ['a changed last line', (all) => all.with(4, all[4]?.replace('user-5', 'user-7') ?? ''), /number 5 was changed/],
  ['a line that is gone', (all) => all.toSpliced(1, 1), /^2: lines are missing before it: 2 to 2/],
  ['the first line is gone, and the second took its number', (all) => all.slice(1), /.^/],
  ['a line that was put in', (all) => all.toSpliced(2, 0, all[0] ?? ''), /^3: it has number 1, after number 2/],
  ['a made-up line', (all) => all.toSpliced(2, 0, '{"seq":3}'), /^3: it is no line/],
  ['two lines that changed places', (all) => [0, 2, 1, 3, 4].map((i) => all[i] ?? ''), /^2: lines are missing/],
  ['an end that was cut off', (all) => all.slice(0, 3), /the end is missing: 5 lines were written, 3 are here/],
  ['nothing left', () => [], /the end is missing: 5 lines were written, 0 are here/],
]
for (const [what, change, expected] of tampered) {
  // Older lines may be moved away: the report says from which number on it holds.
  const isSeen = expected.source !== '.^'
  test(`${isSeen ? 'noticed' : 'told by the first number'}: ${what}`, async () => {
    await record(5)
    write(change(lines()))
    if (isSeen) assert.match(found().join('\n'), new RegExp(expected, 'm'))
    else assert.equal(verified().first, 2)
    // Who goes on writing does not mend it.
    const before = found().length
    must(await appendAudit(log, event('next')))
    if (what === 'nothing left') assert.equal(verified().first, 6)
    else if (isSeen) assert.ok(found().length >= before, found().join('\n'))
  })
}

test('each bit of each line counts', async () => {
  await record(3)
  const text = readFileSync(log)
  for (let at = 0; at < text.length; at++) {
    const changed = Buffer.from(text)
    changed[at] = (changed[at] ?? 0) ^ 1
    writeFileSync(log, changed)
    assert.notDeepEqual(found(), [], `byte ${at}`)
  }
})

test('a log that was written anew does not have the line that was noted elsewhere', async () => {
  await record(4)
  const noted = verified().last ?? assert.fail()
  await record(2)
  assert.deepEqual(must(verifyAudit(log, noted)).findings, [])
  rmSync(log)
  rmSync(headPath(log))
  await record(6)
  assert.deepEqual(found(), [])
  assert.match(must(verifyAudit(log, noted)).findings[0]?.what ?? '', /number 4 has another hash/)
})

test('a crash between the line and its number loses nothing, and is no fault', async () => {
  await record(2)
  const head = readFileSync(headPath(log))
  await record(1)
  writeFileSync(headPath(log), head)
  assert.deepEqual(found(), [])
  await record(1)
  assert.deepEqual([found(), verified().last?.seq], [[], 4])
})

test('a crash in the middle of a line: the piece is told, and the next line follows the whole ones', async () => {
  await record(2)
  appendFileSync(log, '{"seq":3,"ti')
  assert.match(found().join(), /^3: it is incomplete/)
  await record(1)
  assert.deepEqual(found(), [])
  assert.equal(must(readAudit(log)).at(-1)?.note, 'an incomplete line of 12 bytes was removed')
})

test('a log that somebody moved away goes on in a new file, with the same chain', async () => {
  await record(3)
  const old = lines()
  rmSync(log)
  await record(1)
  assert.equal(verified().first, 4)
  assert.deepEqual(found(), [])
  writeFileSync(`${log}.1`, old.map((line) => `${line}\n`).join(''), { mode: 0o600 })
  assert.deepEqual([verified().lines, verified().first, found()], [4, 1, []])
})

test('a large log gets another name, and the chain goes on', async () => {
  const long = Array.from({ length: 200 }, () => 'x'.repeat(400))
  for (let i = 0; i < 60; i++) must(await appendAudit(log, { ...event('ada'), before: long, after: long }))
  const names = readdirSync(join(log, '..')).sort()
  assert.deepEqual(names, ['audit.log', 'audit.log.1', 'audit.log.head', 'audit.log.lock'])
  assert.deepEqual([verified().lines, found()], [60, []])
  rmSync(`${log}.1`)
  assert.ok((verified().first ?? 0) > 40)
  assert.deepEqual(found(), [])
})

/** A program that records some lines. */
const WRITER = `
  import { appendAudit } from ${JSON.stringify(new URL('append.ts', import.meta.url).href)}
  const [log, count] = process.argv.slice(1)
  for (let i = 0; i < Number(count); i++) {
    const done = await appendAudit(log, { by: { via: 'command' }, did: 'user add', to: 'writer ' + process.pid })
    if (!done.ok) { console.error(done.failure.detail); process.exit(1) }
  }`
const writer = (path: string, count: number): string[] => [
  ...['--conditions=ghostport-source', '--input-type=module', '--eval', WRITER, path, `${count}`],
]

test('four writers at once: one chain, and no line is lost', async () => {
  const writers = Array.from({ length: 4 }, () => spawn(process.execPath, writer(log, 15), { stdio: 'inherit' }))
  const ends = writers.map((one) => new Promise((resolve) => one.once('exit', resolve)))
  assert.deepEqual(await Promise.all(ends), [0, 0, 0, 0])
  assert.deepEqual([verified().lines, found()], [60, []])
})

test('writers that are killed at any moment leave a chain that holds, or an incomplete last line', async () => {
  for (let i = 0; i < 6; i++) {
    const one = spawn(process.execPath, writer(log, 10_000), { stdio: 'ignore' })
    await new Promise((resolve) => setTimeout(resolve, 250 + 37 * i))
    one.kill('SIGKILL')
    await new Promise((resolve) => one.once('exit', resolve))
    must(await appendAudit(log, event('after the kill')))
    assert.deepEqual(found(), [])
  }
  assert.ok(verified().lines > 6)
})

test('a full disk: refused, and the log is as before', { skip: process.getuid?.() !== 0 }, () => {
  const script = `
    mount -t tmpfs -o size=24k,mode=700 none "$0" || exit 9
    "$@" 2>&1; echo "status $?"; tail -c 1 "$0/audit.log" | od -An -c; cp "$0/audit.log" "$0.full"; rm "$0/filler" 2> /dev/null; exit 0`
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-audit-full-'))
  folders.push(folder, `${folder}.full`)
  const argv = ['--mount', 'sh', '-c', script, folder, process.execPath, ...writer(join(folder, 'audit.log'), 1000)]
  const { stdout, status } = spawnSync('unshare', argv, { encoding: 'utf8' })
  assert.equal(status, 0, stdout)
  assert.match(stdout, /no (space|room)|full/i)
  assert.match(stdout, /status 1\n\s+\\n/)
  const kept = readFileSync(`${folder}.full`, 'utf8').split('\n').slice(0, -1)
  assert.ok(kept.length > 5 && kept.every((line) => parseEntry(line) !== undefined))
})

test('others may not write there', async () => {
  writeFileSync(log, '', { mode: 0o666 })
  spawnSync('chmod', ['666', log])
  const refused = await appendAudit(log, event('ada'))
  assert.ok(!refused.ok && refused.failure.code === 'AUDIT_FAILED')
  assert.ok(!verifyAudit(log).ok)
})

test('any text fits in one line, and is read back', () => {
  const texts = fc.string({ unit: 'binary', maxLength: 500 })
  fc.assert(
    fc.property(texts, texts, fc.array(texts, { maxLength: 5 }), (to, note, after) => {
      const line = formatEntry({ seq: 1, hash: NO_LINE }, new Date(0), {
        by: { via: 'console', name: to },
        did: 'x',
        to,
        note,
        after,
      })
      assert.doesNotMatch(line, /[\p{C}\p{Zl}\p{Zp}]/u)
      assert.ok(parseEntry(line) !== undefined, line)
    }),
    { numRuns: 500 },
  )
})

test('no text makes the reader throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => void parseEntry(line)))
})
