/** The command line of `ghostport doctor`, and docs/DOCTOR.md, which has each check. */
import assert from 'node:assert/strict'
import { linkSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { command } from '../../src/cli/doctor.ts'
import { style } from '../../src/cli/terminal/line.ts'
import { parseCommandLine } from '../../src/cli/terminal/parse-command-line.ts'
import type { Terminal } from '../../src/cli/terminal/terminal.ts'
import { checks } from '../../src/host/doctor/checks.ts'
import { examine, statusOf, tallyOf } from '../../src/host/doctor/doctor.ts'
import { mend } from '../../src/host/doctor/fix.ts'
import { argvOf, safeCommands } from '../../src/host/doctor/safe-cures.ts'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const page = readFileSync(new URL('../../docs/DOCTOR.md', import.meta.url), 'utf8')

describe('docs/DOCTOR.md', () => {
  it('has each check, with its side and its question, in the order of the checks', () => {
    const rows = [...page.matchAll(/^\| `([A-Z0-9_]+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$/gm)]
    assert.deepEqual(
      rows.map(([, code, side, question]) => [code, side, question]),
      checks.map(({ code, side, question }) => [code, side, question]),
    )
  })

  it('has each command that --fix may run, and no other', () => {
    const [, section = ''] = /\n## --fix\n(.*?)\n## /s.exec(page) ?? []
    const told = [...section.matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word),
    )
    const known = [...Object.values(safeCommands), argvOf({ hide: 'FILE' })].map((argv) => argv.join(' '))
    assert.deepEqual([...told].sort(), [...known].sort())
  })

  it('has each option', () => {
    for (const [name, { short }] of Object.entries(command.options))
      assert.match(page, new RegExp(`\`--${name}\\b${short === undefined ? '' : `|\`-${short}\\b`}`), name)
  })
})

describe('ghostport doctor', () => {
  it('--list names each check, also as JSON', async () => {
    const { stdout, status } = await home.ghostport(['doctor', '--list'])
    assert.equal(status, 0)
    for (const { code, question } of checks)
      assert.match(stdout, new RegExp(`  ${code} +${question.replace('?', '\\?')}`))
    const { stdout: json } = await home.ghostport(['doctor', '--list', '--json'])
    assert.deepEqual(
      JSON.parse(json).checks.map(({ code }: { code: string }) => code),
      checks.map(({ code }) => code),
    )
  })

  it('ends with one line of summary, and shows what is good on request', async () => {
    const { stdout, status } = await home.ghostport(['doctor', '--only', 'NODE'])
    assert.equal(status, 0)
    assert.match(stdout, /^this host\n {2}good: NODE\n\n1 check: 1 good\n$/)
    const { stdout: all } = await home.ghostport(['doctor', '--only', 'node', '--all'])
    assert.match(
      all,
      /good: Does this Node\.js still get security fixes\? \[NODE\]\n {6}seen: Node\.js [\d.]+ is supported/,
    )
  })

  it('examines what is there: without files of server and client, the host alone', async () => {
    const { stdout } = await home.ghostport(['doctor', '--json'])
    const sides = JSON.parse(stdout).checks.map(({ side }: { side: string }) => side)
    assert.ok(sides.includes('host') && !sides.includes('client'))
    const { stdout: client } = await home.ghostport(['doctor', '--json', '--client'])
    assert.ok(!JSON.parse(client).checks.some(({ side }: { side: string }) => side === 'server'))
  })

  it('refuses a wrong command line', async () => {
    for (const [argv, message] of [
      [['--only', 'CLOK'], /no check has the code “CLOK”/],
      [['--jsn'], /there is no option --jsn — perhaps: --json/],
      [['x'], /unexpected argument “x”/],
      [['--yes'], /--yes has no effect without --fix/],
      [['--fix', '--list'], /--fix and --list cannot be used together/],
      [['--fix', '--json'], /--fix with --json asks nothing, so it needs --yes/],
    ] as const) {
      const { stderr, status } = await home.ghostport(['doctor', ...argv])
      assert.equal(status, 64)
      assert.match(stderr, message)
    }
  })

  describe('--fix', () => {
    const rc = (mode: number): string =>
      home.write('.fwknoprc', '[office]\nSPA_SERVER 192.0.2.1\nKEY aaaaaaaa\nHMAC_KEY bbbbbbbb\nACCESS tcp/22\n', mode)
    const modeOf = (path: string): number => statSync(path).mode & 0o777
    const fix = ['doctor', '--client', '--only', 'CLIENT_CONFIG', '--fix']

    it('hides a file with keys, and examines again', async () => {
      const path = rc(0o644)
      const { stdout, status } = await home.ghostport([...fix, '--yes'])
      assert.match(stdout, /error: .* can be read by others.*to mend: .*\n {2}run: chmod 600 \S+\n {2}done\n/s)
      assert.match(stdout, /Examined again:\n\nthe client\n {2}good: CLIENT_CONFIG\n\n1 check: 1 good\n$/)
      assert.equal(status, 0)
      assert.equal(modeOf(path), 0o600)
    })

    it('asks, and without a terminal changes nothing', async () => {
      const path = rc(0o644)
      const { stderr, status } = await home.ghostport(fix)
      assert.match(stderr, /there is no terminal to ask at — perhaps: --yes/)
      assert.equal(status, 64)
      assert.equal(modeOf(path), 0o644)
    })

    it('tells as JSON what was done', async () => {
      rc(0o644)
      const { stdout } = await home.ghostport([...fix, '--yes', '--json'])
      const { ok, fixes } = JSON.parse(stdout)
      assert.equal(ok, true)
      assert.deepEqual(
        fixes.map(({ code, done, because }: Record<string, unknown>) => [code, done, because]),
        [['CLIENT_CONFIG', true, null]],
      )
    })

    it('does not touch a file that others may have written', async () => {
      const path = rc(0o666)
      const { stdout, status } = await home.ghostport([...fix, '--yes'])
      assert.match(stdout, /There is nothing that --fix may mend/)
      assert.equal(status, 1)
      assert.equal(modeOf(path), 0o666)
      // Nor one that became such a file after it was examined.
      assert.match(mend({ hide: path }) ?? '', /others can change .* \(mode 0666\)/)
      const link = join(home.path, 'link')
      symlinkSync(path, link)
      assert.match(mend({ hide: link }) ?? '', /link: /)
      rc(0o644)
      linkSync(path, join(home.path, 'second'))
      assert.match(mend({ hide: path }) ?? '', /has 2 names/)
      assert.match(mend({ hide: home.path }) ?? '', /is not a regular file/)
      assert.equal(modeOf(path), 0o644)
    })

    it('is not for a finding without a safe command, and says so', async () => {
      rc(0o600)
      const { stdout, status } = await home.ghostport([...fix, '--yes'])
      assert.match(stdout, /1 check: 1 good\nThere is nothing that --fix may mend/)
      assert.equal(status, 0)
    })
  })

  it('ends with 2 if it fails itself', async () => {
    const said: string[] = []
    let printed = 0
    const terminal: Terminal = {
      style,
      print: () => {
        throw new Error('the disk is on fire')
      },
      printJson: (value) => {
        if (++printed === 1) throw new Error('the disk is on fire')
        said.push(JSON.stringify(value))
      },
      note: () => {},
      fail: ({ code, detail }) => said.push(`${code}: ${detail}`),
      askSecret: async () => assert.fail(),
    }
    const parsed = parseCommandLine(command.options, {}, ['--only', 'NODE'])
    assert.ok(parsed.ok)
    assert.equal(await command.run(parsed.value, terminal), 2)
    assert.deepEqual(said, ['INTERNAL_ERROR: the doctor itself failed: the disk is on fire'])
    const asJson = parseCommandLine(command.options, {}, ['--only', 'NODE', '--json'])
    assert.ok(asJson.ok)
    assert.equal(await command.run(asJson.value, terminal), 2)
    const { ok, error } = JSON.parse(said[1] ?? '')
    assert.deepEqual([ok, error.code, error.exit], [false, 'INTERNAL_ERROR', 2])
  })
})

describe('the exit status', () => {
  const finding = (severity: 'error' | 'warning' | 'hint') => {
    const [check] = checks
    assert.ok(check)
    return { check, answer: { kind: 'bad', findings: [{ severity, text: 'x', evidence: [] }] } } as const
  }
  for (const [severity, strict, wanted] of [
    ['error', false, 1],
    ['warning', false, 0],
    ['warning', true, 1],
    ['hint', true, 0],
  ] as const)
    it(`${severity}${strict ? ', strict' : ''}: ${wanted}`, () => {
      assert.equal(statusOf(tallyOf([finding(severity)]), strict), wanted)
    })

  it('what is not checked is no error', async () => {
    const [check] = checks.filter(({ code }) => code === 'SERVER_CLOCK')
    assert.ok(check)
    const subject = {} as Parameters<typeof examine>[0]
    const examined = await examine(subject, [check])
    assert.deepEqual(tallyOf(examined), {
      checks: 1,
      good: 0,
      notChecked: 1,
      findings: { error: 0, warning: 0, hint: 0 },
    })
    assert.equal(statusOf(tallyOf(examined), true), 0)
  })
})
