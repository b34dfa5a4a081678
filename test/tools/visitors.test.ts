/** `visitors` as a person runs it. The figures of the first part are those of a real site, of 2006 to 2009. */
import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
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
