import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { renderScript, word } from './inverse.ts'
import { parseJournal } from './parse-journal.ts'
import { journalPaths, WayBack } from './way-back.ts'

const needsRoot = process.getuid?.() !== 0 && 'files of another owner need root'

/** A folder for a journal, and one that stands for the host. */
function folders(t: TestContext): { readonly journal: string; readonly host: string } {
  const base = mkdtempSync('/var/tmp/ghostport-way-back-')
  t.after(() => rmSync(base, { recursive: true, force: true }))
  chmodSync(base, 0o700)
  const host = join(base, 'host')
  mkdirSync(host)
  return { journal: join(base, 'journal'), host }
}

function open(journal: string): WayBack {
  const opened = WayBack.open(journal)
  assert.ok(opened.ok, JSON.stringify(opened))
  return opened.value
}

/** All that a file has, as text. */
function state(path: string): string {
  if (!existsSync(path)) return 'absent'
  const { uid, gid, mode, mtimeMs } = statSync(path)
  return JSON.stringify([readFileSync(path, 'latin1'), uid, gid, mode, mtimeMs])
}

test('files are put back as they were, with owner, mode and time; new files and folders go', {
  skip: needsRoot,
}, (t) => {
  const { journal, host } = folders(t)
  const old = join(host, 'old file’s')
  writeFileSync(old, 'before\n')
  chownSync(old, 12345, 54321)
  chmodSync(old, 0o640)
  const before = state(old)
  const back = open(journal)
  assert.deepEqual(back.file({ path: old, text: 'after\n', mode: 0o600 }), { ok: true, value: true })
  const made = join(host, 'made', 'deep', 'new')
  assert.deepEqual(back.file({ path: made, text: 'new\n', mode: 0o600 }), { ok: true, value: true })
  assert.equal(readFileSync(old, 'utf8'), 'after\n')
  assert.equal(statSync(made).mode & 0o7777, 0o600)
  assert.ok(back.undo().ok)
  assert.equal(state(old), before)
  assert.deepEqual(readdirSync(host), ['old file’s'])
  assert.deepEqual(back.changes, [])
  back.close()
})

test('a file that has the wanted text and mode is not changed, and is not in the journal', (t) => {
  const { journal, host } = folders(t)
  const path = join(host, 'same')
  writeFileSync(path, 'same\n', { mode: 0o644 })
  const back = open(journal)
  assert.deepEqual(back.file({ path, text: 'same\n', mode: 0o644 }), { ok: true, value: false })
  assert.deepEqual(back.changes, [])
  back.close()
})

test('the inverse is on disk before the change: at each moment the script takes all back', (t) => {
  const { journal, host } = folders(t)
  const paths = journalPaths(journal)
  const back = open(journal)
  const path = join(host, 'new')
  // The program sees what a crash right then would have left.
  const seen = back.run({
    argv: ['sh', '-c', `cat ${word(paths.script)}; : >${word(path)}`],
    inverse: { kind: 'run', argv: ['rm', '-f', path] },
    what: 'made a file',
  })
  assert.ok(seen.ok && seen.value.includes(`must 'rm' '-f' ${word(path)}`))
  back.close()
  // As after a crash: only the script is run, and not by us.
  assert.equal(spawnSync('/bin/sh', [paths.script]).status, 0)
  assert.equal(existsSync(path), false)
  assert.ok(existsSync(paths.undone))
  const next = open(journal)
  assert.deepEqual(next.changes, [])
  next.close()
})

test('a change that fails is in the journal, and undoing it does no harm', (t) => {
  const { journal, host } = folders(t)
  const back = open(journal)
  const failed = back.run({
    argv: ['sh', '-c', 'echo no such thing >&2; exit 3'],
    inverse: { kind: 'run', argv: ['false'], mayFail: true },
    what: 'tried',
  })
  assert.ok(!failed.ok && failed.failure.code === 'CHANGE_FAILED' && failed.failure.detail.endsWith('no such thing'))
  const blocked = join(host, 'file')
  writeFileSync(blocked, '')
  assert.ok(!back.file({ path: join(blocked, 'below'), text: '', mode: 0o600 }).ok)
  assert.ok(back.undo().ok)
  assert.deepEqual(readdirSync(host), ['file'])
  back.close()
})

test('what somebody changed after us is kept beside the file that is put back', (t) => {
  const { journal, host } = folders(t)
  const path = join(host, 'file')
  writeFileSync(path, 'before\n')
  const back = open(journal)
  assert.ok(back.file({ path, text: 'ours\n', mode: 0o600 }).ok)
  const added = join(host, 'added')
  assert.ok(back.file({ path: added, text: 'ours\n', mode: 0o600 }).ok)
  writeFileSync(path, 'theirs\n')
  writeFileSync(added, 'theirs too\n')
  assert.ok(back.undo().ok)
  assert.equal(readFileSync(path, 'utf8'), 'before\n')
  assert.equal(readFileSync(`${path}.before-ghostport-undo`, 'utf8'), 'theirs\n')
  assert.equal(existsSync(added), false)
  assert.equal(readFileSync(`${added}.before-ghostport-undo`, 'utf8'), 'theirs too\n')
  back.close()
})

test('what cannot be taken back is named, with how to try again', (t) => {
  const { journal, host } = folders(t)
  const back = open(journal)
  back.await()
  const [inTheWay, changed] = [join(host, 'in the way'), join(host, 'changed')]
  for (const path of [changed, inTheWay]) assert.ok(back.file({ path, text: 'ours\n', mode: 0o600 }).ok)
  writeFileSync(changed, 'theirs\n')
  rmSync(inTheWay)
  mkdirSync(inTheWay)
  const undone = back.undo()
  assert.ok(!undone.ok)
  assert.equal(undone.failure.detail, `not all was taken back: ghostport: this failed: rm -f -- ${inTheWay}`)
  assert.equal(undone.failure.suggestion, `sh ${back.paths.script}`)
  rmSync(inTheWay, { recursive: true })
  assert.ok(back.undo().ok)
  back.close()
})

test('if something cannot be taken back, the rest is, and the journal waits for another try', (t) => {
  const { journal, host } = folders(t)
  const back = open(journal)
  back.await()
  const first = join(host, 'first')
  const path = join(host, 'second')
  assert.ok(back.file({ path: first, text: '', mode: 0o600 }).ok)
  const gate = join(host, 'gate')
  assert.ok(back.run({ argv: ['true'], inverse: { kind: 'run', argv: ['test', '-e', gate] }, what: 'opened' }).ok)
  assert.ok(back.file({ path, text: '', mode: 0o600 }).ok)
  const undone = back.undo()
  assert.ok(!undone.ok && undone.failure.code === 'CHANGE_FAILED')
  assert.deepEqual(readdirSync(host), [])
  assert.ok(back.isPending)
  assert.equal(back.changes.length, 3)
  writeFileSync(gate, '')
  assert.ok(back.undo().ok)
  assert.equal(back.isPending, false)
  back.close()
})

test('what was confirmed stays when later changes are not, and goes when all is taken back', (t) => {
  const { journal, host } = folders(t)
  const kept = join(host, 'kept')
  const tried = join(host, 'tried')
  writeFileSync(kept, 'before\n')
  const first = open(journal)
  first.await()
  assert.ok(first.file({ path: kept, text: 'confirmed\n', mode: 0o600 }).ok)
  first.confirm()
  first.close()

  const second = open(journal)
  second.await()
  assert.ok(second.file({ path: tried, text: 'tried\n', mode: 0o600 }).ok)
  assert.equal(second.unconfirmed.length, 1)
  second.close()
  // Nobody confirms: the dead-man switch runs the script.
  assert.equal(spawnSync('/bin/sh', [second.paths.script]).status, 0)
  assert.deepEqual(readdirSync(host), ['kept'])
  assert.equal(readFileSync(kept, 'utf8'), 'confirmed\n')

  const third = open(journal)
  assert.equal(third.changes.length, 1)
  assert.ok(third.undoAll().ok)
  assert.equal(readFileSync(kept, 'utf8'), 'before\n')
  third.close()
})

test('two commands do not change the host at once', (t) => {
  const { journal } = folders(t)
  const back = open(journal)
  const other = WayBack.open(journal)
  assert.ok(!other.ok && other.failure.code === 'INSTANCE_RUNNING')
  back.close()
  open(journal).close()
})

test('a damaged journal is refused, and the script is named', (t) => {
  const { journal } = folders(t)
  const back = open(journal)
  back.await()
  back.close()
  const { changes, script } = journalPaths(journal)
  for (const text of [
    '',
    '{',
    '{"version":2,"confirmed":0,"changes":[]}',
    '{"version":1,"confirmed":1,"changes":[]}',
    '{"version":1,"confirmed":0,"changes":[{"what":"x"}]}',
  ]) {
    writeFileSync(changes, text)
    const opened = WayBack.open(journal)
    assert.ok(!opened.ok && opened.failure.code === 'CONFIG_UNREADABLE', text)
    assert.equal(opened.failure.suggestion, `sh ${script}`)
  }
})

test('once the script has done its work, only the damaged journal is in the way, and the next command moves it', (t) => {
  const { journal, host } = folders(t)
  const path = join(host, 'new')
  const back = open(journal)
  back.await()
  assert.ok(back.file({ path, text: 'ours\n', mode: 0o600 }).ok)
  back.close()
  writeFileSync(back.paths.changes, '{"vers')
  for (let tries = 0; tries < 2; tries++) {
    const opened = WayBack.open(journal)
    assert.ok(!opened.ok)
    const { status } = spawnSync('/bin/sh', ['-c', opened.failure.suggestion ?? 'false'])
    assert.equal(status, 0)
  }
  assert.equal(existsSync(path), false)
  open(journal).close()
})

test('on a full disk, all is taken back that was done, and a change that cannot be noted is not made', {
  skip: needsRoot,
}, (t) => {
  const { journal, host } = folders(t)
  mkdirSync(journal, { mode: 0o700 })
  const program = `
    import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs'
    import { WayBack } from '${new URL('./way-back.ts', import.meta.url).pathname}'
    const [journal, host] = process.argv.slice(1)
    const made = (name) => ({
      argv: ['touch', host + '/' + name],
      inverse: { kind: 'run', argv: ['rm', host + '/' + name] },
      what: 'made ' + name,
    })
    const back = WayBack.open(journal).value
    back.await()
    const told = { first: back.run(made('first')).ok }
    const filler = openSync(journal + '/filler', 'w')
    try { for (;;) writeSync(filler, Buffer.alloc(512)) } catch (error) { told.full = error.code }
    closeSync(filler)
    const second = back.run({ ...made('second'), inverse: { kind: 'run', argv: ['true', 'x'.repeat(9000)] } })
    told.second = second.ok ? 'done' : second.failure.code
    told.before = readdirSync(host)
    back.close()
    const later = WayBack.open(journal).value
    told.undone = later.undo()
    told.after = readdirSync(host)
    told.pending = later.isPending
    later.close()
    const again = WayBack.open(journal)
    told.left = again.ok ? again.value.unconfirmed.length : again.failure
    process.stdout.write(JSON.stringify(told))`
  const mountAndRun = 'mount -t tmpfs -o size=64k,mode=0700 none "$0" && exec "$@"'
  const node = [process.execPath, '--conditions=ghostport-source', '--input-type=module', '-e', program, journal, host]
  const ran = spawnSync('unshare', ['--mount', 'sh', '-c', mountAndRun, journal, ...node], { encoding: 'utf8' })
  assert.equal(ran.status, 0, ran.stderr)
  assert.deepEqual(JSON.parse(ran.stdout), {
    ...{ first: true, full: 'ENOSPC', second: 'CHANGE_FAILED', before: ['first'] },
    ...{ undone: { ok: true }, after: [], pending: false, left: 0 },
  })
})

test('any words reach a program of the script unchanged, and no text of a change is run', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 }), fc.string(), (words, what) => {
      const clean = words.map((one) => one.replaceAll('\0', ''))
      const script = renderScript([{ what, inverse: { kind: 'run', argv: ['printf', '%s\\0', ...clean] } }], {
        pending: '/nonexistent/pending',
        undone: '/nonexistent/undone',
      })
      const { stdout } = spawnSync('/bin/sh', ['-c', script.replace(/^may systemctl.*$/m, '').replace(/^sync$/m, '')])
      const said = stdout.toString('utf8')
      assert.equal(said, clean.length === 0 ? '\0' : clean.map((one) => `${Buffer.from(one).toString()}\0`).join(''))
    }),
    { numRuns: 60 },
  )
})

test('no text makes the reader of the journal throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parseJournal(text).ok === 'boolean'))
})

test('the script is for any POSIX shell', (t) => {
  const { journal } = folders(t)
  const back = open(journal)
  back.await()
  assert.equal(execFileSync('dash', ['-n', back.paths.script], { encoding: 'utf8' }), '')
  back.close()
})
