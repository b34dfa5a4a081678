/**
 * All output to a terminal, a log or the service manager is made printable on the way out. So there are few ways out.
 * Each is listed here by name, and no other file has one.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { describe, it, test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')

interface Rule {
  readonly what: string
  /** The code that matches. */
  readonly pattern: RegExp
  /** Where it is searched. Default: everywhere. */
  readonly only?: string
  /** The files that may do it, and what makes it harmless. */
  readonly allowed: Readonly<Record<string, RegExp>>
}

const rules: readonly Rule[] = [
  {
    what: 'writes to a standard stream',
    pattern:
      /\bprocess\.(stdout|stderr|_rawDebug|emitWarning)\b|\bconsole\.\w+\s*\(|\}\s*=\s*console\b|\b(log|write)Sync\(\s*[12]\b/,
    allowed: {
      // Bytes of the connection that ssh asked for, for ssh.
      'src/cli/proxy.ts': /socket\.pipe\(process\.stdout/,
      // For the audit, which parses it.
      'src/host/audit/prober.ts': /process\.stdout\.write\(writeLine\(/,
      // Programs of the rehearsal, in text: this process reads what they say.
      'src/host/set-up/rehearse.ts': /const code = `/,
      'scripts/story/narrator.ts': /map\(printable\)/,
      // A bar of signs and numbers, on a terminal.
      'src/tools/gpgdir/report.ts': /writeSync\(2, `\\r\[\$\{bar\(this\.#begun, this\.#files\)\}\] /,
    },
  },
  {
    what: 'writes to a descriptor',
    pattern: /\bwriteSync\(|\bimport \{[^}]*\bwrite\b[^}]*\} from 'node:fs'/,
    allowed: {
      'src/cli/terminal/terminal.ts': /renderLine\(/,
      'src/cli/terminal/ask.ts': /printable\(question\)/,
      // Lines of jsonLine.
      'src/audit-log/append.ts': /const line = formatEntry\(/,
      // Lines of jsonLog.
      'src/system/log-writer.ts': /jsonLog\(/,
      // The channel to the warden, which treats it as untrusted.
      'src/daemon/receiver/program.ts': /CHANNEL_DESCRIPTOR/,
      // To the GnuPG process, which parses it.
      'src/daemon/receiver/gnupg-line.ts': /writeSync\(this\.fd, lineOf\(request\)\)/,
      'src/daemon/receiver/polled-channel.ts': /writeSync\(this\.#fd, bytes\)/,
      // Its journal, which a strict reader reads back; the number of its process; a bar of signs and numbers.
      'src/tools/gpgdir/journal.ts': /writeSync\(this\.#descriptor, bytes\)/,
      'src/tools/gpgdir/lock.ts': /`\$\{process\.pid\}\\n`/,
      'src/tools/gpgdir/report.ts': /writeSync\(2, `\\r\[\$\{bar\(/,
      // Zeros, into SQLite's log.
      'src/replay/log-file.ts': /writeSync\(log, Buffer\.alloc\(/,
      // A number for the kernel's counter (eventfd), never text.
      'src/system/waker.ts': /writeSync\(this\.fd, new Uint8Array\(new BigUint64Array\(\[1n\]\)\.buffer\)\)/,
    },
  },
  {
    what: 'makes JSON',
    pattern: /\bJSON\.stringify\(/,
    only: 'src/',
    allowed: {
      // Files of our own, which strict readers read back.
      'src/daemon/warden/last-knocks.ts': /replaceServerFile\(this\.#path, `\$\{JSON\.stringify\(/,
      'src/client-ui/kept-files.ts': /replaceUserFile\(path, `\$\{JSON\.stringify\(/,
      'src/invitations/store.ts': /replaceServerFile\((?:file|used|open), `\$\{JSON\.stringify\(/,
      'src/tools/gpgdir/journal.ts': /Buffer\.from\(`\\n\$\{JSON\.stringify\(entry\)\}/,
      // Text of one field of a log line.
      'src/daemon/warden/journal.ts': /message: JSON\.stringify\(message\)/,
      'src/bytes/text.ts': /export function jsonLine/,
      // For a program of ours, which parses it.
      'src/daemon/link/channel.ts': /stream\.write/,
      'src/daemon/receiver/polled-channel.ts': /JSON\.stringify\(value\)/,
      'src/daemon/link/lossy-lines.ts': /JSON\.stringify\(value\)/,
      'src/daemon/receiver/program.ts': /CHANNEL_DESCRIPTOR/,
      'src/daemon/warden/control.ts': /jsonLine\(value\)/,
      // For the receiver, which parses it.
      'src/daemon/warden/configuration.ts': /Buffer\.from\(JSON\.stringify\(recorder\.snapshot\(\)\)\)/,
      // For the executor, which parses it.
      'src/daemon/warden/executor-process/spawn.ts': /'--source', JSON\.stringify\(source\)/,
      // A file of ours, which is parsed strictly.
      'src/commands/ledger.ts': /boot, due, opened/,
      'src/daemon/warden/unconfirmed.ts': /replaceServerFile\(path, JSON\.stringify\(all\)/,
      // Only hashed.
      'src/daemon/executor/executor.ts': /digest\('sha256', encodeText\(parts\)\)/,
      'src/access/rule-key.ts': /encodeText\(JSON\.stringify\(rule\)\)/,
      'src/access/keyring.ts': /encodeText\(JSON\.stringify/,
      'src/daemon/link/attestation.ts': /encodeText\(JSON\.stringify/,
      // Only compared.
      'src/daemon/warden/restart-settings.ts': /JSON\.stringify\(one\)/,
    },
  },
  {
    what: 'marks up text',
    pattern: /\\x1b|\\u001b|\\u\{1b\}|\\033/i,
    allowed: { 'src/cli/terminal/line.ts': /printable\(/, 'scripts/story/narrator.ts': /map\(printable\)/ },
  },
  {
    what: 'talks to the service manager',
    pattern: /STATUS=/,
    allowed: { 'src/daemon/warden/service-manager.ts': /STATUS=\$\{printable\(/ },
  },
]

/** @returns what is wrong with a file. */
function breaches(file: string, text: string): readonly string[] {
  const code = text.replace(/^\s*(\/?\*|\/\/).*$/gm, '')
  return rules.flatMap(({ what, pattern, only = '', allowed }) => {
    if (!file.startsWith(only) || !pattern.test(code)) return []
    const how = allowed[file]
    if (how === undefined) return [`${file} ${what}: let src/cli/terminal/terminal.ts or src/log.ts do it`]
    return how.test(code) ? [] : [`${file} ${what}, and not as it used to: ${how}`]
  })
}

test('nothing leaves but through a writer that makes it printable', () => {
  const files = globSync(['src/**/*.ts', 'scripts/story/*.ts'], { cwd: root })
    .map((file) => file.split(sep).join('/'))
    .filter((file) => !file.endsWith('.test.ts'))
  assert.ok(files.length > 100, 'the sources were not found')
  assert.deepEqual(
    files.flatMap((file) => breaches(file, readFileSync(join(root, file), 'utf8'))),
    [],
  )
  // A file that no longer exists must not be listed.
  for (const { allowed } of rules) for (const file of Object.keys(allowed)) assert.ok(files.includes(file), file)
})

describe('a new way out is found', () => {
  const cases: readonly (readonly [file: string, code: string])[] = [
    ['src/cli/new.ts', 'process.stdout.write(text)'],
    ['src/daemon/new.ts', 'console.error(text)'],
    ['src/cli/new.ts', 'writeSync(2, text)'],
    ['src/daemon/new.ts', "import { open, write } from 'node:fs'"],
    ['src/cli/status.ts', 'terminal.print(JSON.stringify(status))'],
    ['src/cli/status.ts', String.raw`print('\x1b[1m')`],
    ['src/daemon/warden/service-manager.ts', "return ['STATUS=', status].join('')"],
    ['src/cli/terminal/terminal.ts', 'writeSync(1, text)'],
  ]
  for (const [file, code] of cases) it(`${file}: ${code}`, () => assert.notDeepEqual(breaches(file, code), []))
})
