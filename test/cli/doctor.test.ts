/** The command line of `ghostport doctor`, and docs/DOCTOR.md, which has each check. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { command } from '../../src/cli/doctor.ts'
import { style } from '../../src/cli/terminal/line.ts'
import { parseCommandLine } from '../../src/cli/terminal/parse-command-line.ts'
import type { Terminal } from '../../src/cli/terminal/terminal.ts'
import { checks } from '../../src/host/doctor/checks.ts'
import { examine, statusOf, tallyOf } from '../../src/host/doctor/doctor.ts'
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
    ] as const) {
      const { stderr, status } = await home.ghostport(['doctor', ...argv])
      assert.equal(status, 64)
      assert.match(stderr, message)
    }
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
