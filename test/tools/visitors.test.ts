/** `visitors` as a person runs it. The figures of the first part are those of a real site, of 2006 to 2009. */
import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { printable } from '../../src/bytes/text.ts'
import { combinedLine, compressedTimes, logFolder } from '../support/access-log.ts'

const PROGRAM = ['--conditions=ghostport-source', 'src/cli/visitors.ts']

function run(args: readonly string[], input: string | Uint8Array = ''): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [...PROGRAM, ...args], {
    encoding: 'utf8',
    input,
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: 'C' },
  })
}

/** Without the indentation, and with single blanks. */
function plainLines(text: string): readonly string[] {
  return text.split('\n').map((line) => line.trim().replace(/ +/g, ' '))
}

const GOOGLE = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
const SLURP = 'Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)'
const DOTBOT = 'Mozilla/5.0 (compatible; DotBot/1.1; http://www.dotnetdotcom.org/, crawler@dotnetdotcom.org)'

interface Month {
  readonly month: string
  /** The days that the log has of it. */
  readonly days: readonly [first: number, last: number]
  readonly total: number
  /** Whole hits a day. */
  readonly perDay: number
  readonly agents: readonly (readonly [hits: number, percent: string, shown: string, agent: string])[]
  readonly ratio?: string
}

/** The totals are those that give all percents, except the last one: 10880 of any total near is 0.99%, not 1.00%. */
const MONTHS: readonly Month[] = [
  {
    month: '2006-05',
    days: [15, 31],
    total: 13_660,
    perDay: 803,
    agents: [
      [5062, '37.06%', 'Googlebot/2.1', GOOGLE],
      [5004, '36.63%', 'noxtrumbot/1.0', 'noxtrumbot/1.0 (crawler@noxtrum.com)'],
      [1283, '9.39%', 'msnbot/0.9', 'msnbot/0.9 (+http://search.msn.com/msnbot.htm)'],
      [475, '3.48%', 'Mozilla 1.7.13', 'Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.7.13) Gecko/20060417'],
      [457, '3.35%', 'Mozilla 1.7.12', 'Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.7.12) Gecko/20050922'],
    ],
  },
  {
    month: '2006-12',
    days: [1, 31],
    total: 525_691,
    perDay: 16_957,
    agents: [
      [478_063, '90.94%', 'Googlebot/2.1', GOOGLE],
      [
        11_299,
        '2.15%',
        'BecomeBot/3.0',
        'Mozilla/5.0 (compatible; BecomeBot/3.0; MSIE 6.0 compatible; +http://become.com/)',
      ],
      [8287, '1.58%', 'msnbot-media/1.0', 'msnbot-media/1.0 (+http://search.msn.com/msnbot.htm)'],
      [6423, '1.22%', 'Yahoo! Slurp', SLURP],
      [4029, '0.77%', 'Ask Jeeves/Teoma', 'Mozilla/2.0 (compatible; Ask Jeeves/Teoma; +http://about.ask.com/)'],
    ],
    ratio: '478063/11299 = 42.3',
  },
  {
    month: '2009-05',
    days: [1, 31],
    total: 1_753_465,
    perDay: 56_563,
    agents: [
      [1_510_435, '86.14%', 'Googlebot/2.1', GOOGLE],
      [73_740, '4.21%', 'DotBot/1.1', DOTBOT],
      [33_482, '1.91%', 'Charlotte/1.1', 'Mozilla/5.0 (compatible; Charlotte/1.1; http://www.searchme.com/support/)'],
      [22_699, '1.29%', 'Yahoo! Slurp/3.0', SLURP.replace('Slurp', 'Slurp/3.0')],
      [
        20_980,
        '1.20%',
        'MJ12bot/v1.2.4',
        'Mozilla/5.0 (compatible; MJ12bot/v1.2.4; http://www.majestic12.co.uk/bot.php?+)',
      ],
    ],
    ratio: '1510435/73740 = 20.5',
  },
  {
    month: '2009-08',
    days: [1, 26],
    total: 1_101_724,
    perDay: 42_374,
    agents: [
      [947_703, '86.02%', 'Googlebot/2.1', GOOGLE],
      [43_876, '3.98%', 'msnbot/2.0b', 'msnbot/2.0b (+http://search.msn.com/msnbot.htm)'],
      [30_951, '2.81%', 'DotBot/1.1', DOTBOT],
      [11_578, '1.05%', 'Yahoo! Slurp/3.0', SLURP.replace('Slurp', 'Slurp/3.0')],
      [10_880, '0.99%', 'msnbot/1.1', 'msnbot/1.1 (+http://search.msn.com/msnbot.htm)'],
    ],
    ratio: '947703/43876 = 21.6',
  },
]

describe('the figures of a real site, 2006 to 2009', () => {
  /** The lines of a month: its agents, others with few hits each, and each of its days. */
  function monthLog({ month, days: [first, last], total, agents }: Month): Buffer {
    const day = (number: number): string => `${month}-${String(number).padStart(2, '0')}`
    const others = Array.from({ length: 400 }, (_, i) => `Mozilla/5.0 Other${i}/1.0`)
    let left = total - agents.reduce((sum, [hits]) => sum + hits, 0)
    const pieces: Uint8Array[] = []
    let rare = ''
    for (let number = first; number <= last; number++) {
      rare += combinedLine({ day: day(number), agent: `Mozilla/5.0 Day${number}/1.0` })
      left--
    }
    pieces.push(gzipSync(rare))
    for (const [i, agent] of others.entries()) {
      const hits =
        i === 0 ? left - Math.floor(left / others.length) * (others.length - 1) : Math.floor(left / others.length)
      pieces.push(gzipSync(combinedLine({ day: day(first), agent }).repeat(hits), { level: 1 }))
    }
    for (const [hits, , , agent] of agents) pieces.push(compressedTimes(combinedLine({ day: day(last), agent }), hits))
    return Buffer.concat(pieces)
  }

  it('come out as printed: hits a day, top agents with percents, ratios', (t) => {
    const folder = logFolder(t)
    for (const month of MONTHS)
      folder.write(`${month.month.slice(0, 4)}/trac_access-${month.month}.gz`, monthLog(month))
    const { stdout, stderr, status } = run(['--by', 'month', '--top', '5', folder.path])
    assert.equal(status, 0, stderr)
    const lines = plainLines(stdout)
    const total = MONTHS.reduce((sum, month) => sum + month.total, 0)
    assert.equal(lines[0], `${total} visits in ${total} lines of 4 files, 2006-05-15 to 2009-08-26`)
    for (const { month, days, total, perDay, agents, ratio } of MONTHS) {
      const row = lines.find((line) => line.startsWith(`${month} `))
      assert.equal(row?.replace(/ ?#*$/, ''), `${month} ${total} ${days[1] - days[0] + 1} ${perDay}`)
      const at = lines.indexOf(`Agents, ${month}: ${total} hits`)
      assert.deepEqual(
        lines.slice(at + 2, at + 7),
        agents.map(([hits, percent, shown]) => `${hits} ${percent} ${shown}`),
      )
      if (ratio !== undefined) assert.equal(lines[at + 7], `first to second: ${ratio}`)
    }
  })

  const PATH = '/trac/fwknop/changeset/353'
  const OTHERS: readonly (readonly [day: string, agent: string])[] = [
    ['2006-10-10', SLURP],
    ['2006-11-19', 'MJ12bot/v1.0.8 (http://majestic12.co.uk/bot.php?+)'],
    ['2008-12-27', 'Mozilla/5.0 (Twiceler-0.9 http://www.cuil.com/twiceler/robot.html)'],
    ['2009-06-28', DOTBOT],
    ['2009-07-14', DOTBOT],
  ]
  const visitsOf353 = [
    ...OTHERS.map(([day, agent]) => combinedLine({ day, agent, path: `${PATH}?format=diff&new=353` })),
    ...['2006-09-01', '2007-02-03', '2007-02-04', '2009-01-01'].map((day, i) =>
      combinedLine({ day, agent: GOOGLE, path: `${PATH}${i % 2 === 0 ? '' : '/'}?format=diff&new=353` }),
    ),
    // Not the same: another changeset, and “diff” in the agent.
    combinedLine({ day: '2007-05-05', agent: GOOGLE, path: '/trac/fwknop/changeset/3530?format=diff' }),
    combinedLine({ day: '2007-05-05', agent: 'diffbot', path: PATH }),
  ]

  it('one path: hits by year of one crawler, and all others line by line', (t) => {
    const folder = logFolder(t)
    for (const year of ['2006', '2007', '2008', '2009'])
      folder.write(`${year}/trac_access_log`, visitsOf353.filter((line) => line.includes(`/${year}:`)).join(''))
    const filter = ['--path', `^${PATH}\\?.*diff`, '--merge-paths', '--agent', 'Googlebot', '--by', 'year']
    const { stdout } = run([...filter, '--rest', '--report', 'hits', folder.path])
    const lines = plainLines(stdout)
    const hits = lines.filter((line) => /^20\d\d \d/.test(line)).map((line) => line.split(' ').slice(0, 2).join(' '))
    assert.deepEqual(hits, ['2006 1', '2007 2', '2008 0', '2009 1'])
    const rest = lines.slice(lines.indexOf('All others, line by line') + 1, -1)
    const others = OTHERS.map(([day, agent]) =>
      combinedLine({ day, agent, path: `${PATH}?format=diff&new=353` }).trim(),
    )
    assert.deepEqual(rest, ['2006', ...others.slice(0, 2), '2008', ...others.slice(2, 3), '2009', ...others.slice(3)])
  })

  it('--lines prints lines as they are', (t) => {
    const log = logFolder(t).write('log', visitsOf353.join(''))
    const { stdout, status } = run(['--lines', '--path', '353\\?', '--not-agent', 'googlebot', log])
    assert.equal(stdout, visitsOf353.slice(0, 5).join(''))
    assert.equal(status, 0)
  })
})

describe('logs as they are found', () => {
  it('rotated, compressed, in folders, from a pipe, and each only once', (t) => {
    const folder = logFolder(t)
    const line = (day: string): string => combinedLine({ day, path: `/${day}` })
    folder.write('access.log', line('2020-01-03'))
    folder.write('access.log.1', line('2020-01-02'))
    folder.write('old/access.log.2.gz', gzipSync(line('2020-01-01')))
    folder.write('error.log', 'not read\n')
    folder.write('.access.log.swp', 'not read\n')
    symlinkSync(folder.path, join(folder.path, 'old', 'up'))
    symlinkSync(join(folder.path, 'access.log'), join(folder.path, 'old', 'access-again.log'))
    const { stdout, stderr, status } = run(
      ['--lines', folder.path, join(folder.path, 'access.log'), '-'],
      line('2020-01-04'),
    )
    // What comes by a pipe is read first: it can be read only once.
    assert.equal(stdout, ['2020-01-04', '2020-01-01', '2020-01-02', '2020-01-03'].map(line).join(''))
    assert.deepEqual([stderr, status], ['', 0])
  })

  it('in a folder, a link that leads nowhere is told, and a name that is not UTF-8 is read', (t) => {
    const folder = logFolder(t)
    folder.write('access.log', combinedLine())
    folder.write('access.z.log', combinedLine())
    writeFileSync(Buffer.from(`${folder.path}/access.\xff.log`, 'latin1'), combinedLine())
    symlinkSync('access.loop', join(folder.path, 'access.loop'))
    symlinkSync('gone', join(folder.path, 'access.gone'))
    symlinkSync('other.loop', join(folder.path, 'other.loop'))
    const { stdout, stderr, status } = run(['-r', 'hits', folder.path])
    assert.match(stdout, /^3 visits in 3 lines of 3 files/)
    assert.deepEqual(stderr.split('\n'), [
      `visitors: ${folder.path}/access.gone: there is no such file`,
      `visitors: ${folder.path}/access.loop: too many links lead to it`,
      '',
    ])
    assert.equal(status, 1)
  })

  it('hostile, malformed and truncated lines are counted and told, and harm nothing', (t) => {
    const folder = logFolder(t)
    const agent = '=HYPERLINK("x")\x1b[2J\x9b31m</td><script>alert(1)</script>\u202e'.replaceAll('"', '\\"')
    const hostile = combinedLine({ agent, path: "/'&<b>" })
    const log = folder.write(
      'log',
      Buffer.concat([
        Buffer.from(`${hostile}no line\n\n${hostile.slice(0, -9)}\n\0\0\0\n${'x'.repeat(70_000)}\n`),
        Buffer.from(combinedLine({ agent: 'caf\xe9' }), 'latin1'),
        Buffer.from(combinedLine({ agent: 'café' })),
        Buffer.from(hostile.slice(0, 50)),
      ]),
    )
    const told = `not counted, since they are no whole lines of the log: 5 lines, the first is ${log}:2`
    const report = ['--report', 'agents,paths', '--agents', 'full', '-f']
    const table = run([...report, 'table', log])
    assert.match(table.stdout, /^3 visits in 9 lines of 1 file, 2006-05-17\n/)
    assert.ok(table.stdout.includes(told), table.stdout)
    assert.ok(table.stdout.includes('caf\\xe9\n') && table.stdout.includes('café\n'))
    assert.ok(table.stdout.includes(String.raw`\x1b[2J\x9b31m</td>`), table.stdout)
    const html = run([...report, 'html', log]).stdout
    assert.ok(html.includes('=HYPERLINK(\\&#34;x\\&#34;)'), html)
    assert.doesNotMatch(html, /<script|<b>/)
    const csv = run(['--report', 'agents', '--agents', 'full', '-f', 'csv', log])
    assert.ok(csv.stdout.includes(`1,33.33,"'=HYPERLINK(\\""x\\"")`), csv.stdout)
    assert.equal(csv.stderr, `${told}\n`)
    const json = run([...report, 'json', log]).stdout
    const agents = JSON.parse(json).reports.agents[0].rows.map(({ agent }: { agent: string }) => agent)
    assert.deepEqual(agents.sort(), [agent, 'caf\\xe9', 'café'].sort())
    const lines = run(['--lines', log]).stdout
    for (const text of [table.stdout, html, csv.stdout, json, lines])
      for (const piece of text.split('\n')) assert.equal(printable(piece), piece)
  })

  it('millions of different agents, paths and addresses: bounds are told, and no frequent one is lost', () => {
    let log = ''
    for (let i = 0; i < 60_000; i++) {
      const path = `/${i}${'x'.repeat(100)}`
      log += combinedLine({ agent: `Agent${i}/1.0`, address: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, path })
      if (i % 20 === 0) log += combinedLine({ agent: 'Often/1.0', address: '192.0.2.9', path: '/often' })
    }
    const { reports } = JSON.parse(
      run(['--report', 'agents,paths,addresses,kinds', '-n', '1', '-f', 'json', '-'], log).stdout,
    )
    const [agents, paths, addresses] = ['agents', 'paths', 'addresses'].map((name) => reports[name][0])
    for (const [section, name, value] of [
      [agents, 'agent', 'Often/1.0'],
      [paths, 'path', '/often'],
      [addresses, 'address', '192.0.2.9'],
    ]) {
      assert.equal(section.rows[0][name], value)
      // It came first: nothing of it can have been forgotten.
      assert.equal(section.rows[0].hits, 3000)
      assert.match(
        section.notes.join('\n'),
        /too many different ones to keep all: what is not shown came \d+ times at most/,
      )
    }
    assert.ok(reports.kinds[0].rows.some(({ addresses }: { addresses: unknown }) => typeof addresses === 'object'))
  })

  it('statuses: what could not be read is told, and the rest is reported', (t) => {
    const folder = logFolder(t)
    const whole = gzipSync(combinedLine().repeat(5_000))
    const cut = folder.write('access.cut.gz', whole.subarray(0, whole.length - 20))
    const gone = join(folder.path, 'gone')
    const some = run(['-r', 'hits', cut, gone])
    assert.match(some.stdout, /^\d+ visits in \d+ lines of 1 file, /)
    assert.deepEqual(some.stderr.split('\n'), [
      `visitors: ${gone}: there is no such file`,
      `visitors: ${cut}: ends in the middle of its gzip data`,
      '',
    ])
    assert.equal(some.status, 1)
    const later = run(['--since', '2007', folder.write('log', combinedLine())])
    assert.match(later.stdout, /no visit is in the time that is asked for: the logs are of 2006-05-17 to 2006-05-17/)
    const packed = folder.write('access.xz', Buffer.from('fd377a585a0000', 'hex'))
    const junk = folder.write('junk', 'no log\n')
    for (const [args, status, told] of [
      [[gone, packed], 66, /gone: there is no such file \[CONFIG_UNREADABLE\]/],
      [
        [junk],
        65,
        /none of 1 line has a form that is known; the first is .*junk:1 — perhaps: --log-format .*\[LOG_INVALID\]/,
      ],
      [['-'], 65, /there is no line in it/],
      [[], 64, /say which log to read/],
    ] as const) {
      const { stderr, stdout, status: ended } = run(args)
      assert.deepEqual([ended, stdout], [status, ''], stderr)
      assert.match(stderr, told)
    }
  })
})
