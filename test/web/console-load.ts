/**
 * `npm run console-load -- MINUTES`: the page of the console with 5 000 live grants and 100 events a second, by a real
 * server and real knocks. Says how soon a key press is painted, and how much memory page and console take over time.
 * Ends with status 1 where 19 of 20 key presses take more than 100 ms, or where the memory grows.
 *
 *   client 10.9.0.1: knocks ── server 10.9.0.2: ghostport, console and Chromium
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { clientAndServer, SERVER, stanza } from '../support/daemon.ts'
import { Network } from '../support/netns.ts'
import { startChromium } from './chromium.ts'
import { ConsoleLab, logInByLink, openConsoleTab, shiftsOf, show } from './on-the-console.ts'

const GRANTS = 5000
const RATE = 100
/** Milliseconds that a person takes for “at once”. */
const MOST_DELAY = 100
/** Of the memory, between the first and the last third of the time. The console keeps 5 000 events at hand. */
const MOST_GROWTH = { page: 1.15, console: 1.3 }
const KEY_PAUSE = 1500

const minutes = Number(process.argv[2] ?? 10)
const net = await Network.create()
try {
  const [client, server] = await clientAndServer(net)
  // Each grant is asked for again just before it ends: so their number stays.
  const access = stanza(['NAME load', 'OPEN_PORTS tcp/22', `FW_ACCESS_TIMEOUT ${GRANTS / RATE + 20}`])
  await using lab = await ConsoleLab.start(net, server, { access, server: ['MAX_PACKETS_PER_KEY 200000'] })
  await using chromium = await startChromium(server)
  lab.addAccount('ada', 'administrator')
  const { tab, context, complaints } = await openConsoleTab(chromium.browser)
  await logInByLink(tab, lab.link('ada'))
  const devtools = await context.newCDPSession(tab)
  await devtools.send('Performance.enable')

  const send = (rate: number, count: number) =>
    client.start([
      ...[process.execPath, '--conditions=ghostport-source', join(import.meta.dirname, 'send-knocks.ts')],
      ...[SERVER, `${GRANTS}`, `${rate}`, `${count}`],
    ])
  await send(4 * RATE, GRANTS).end()
  await tab.getByText(`${GRANTS} open`).waitFor({ timeout: 60_000 })
  print(`${GRANTS} grants are open; ${RATE} knocks a second for ${minutes} minutes`)
  const sender = send(RATE, RATE * 60 * minutes)
  await tab.evaluate(() => {
    const slow: number[] = []
    Object.assign(window, { slow })
    // From the key press to the next picture.
    new PerformanceObserver((list) => {
      for (const { name, duration } of list.getEntries()) if (name === 'keydown') slow.push(duration)
    }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit)
  })

  const memory: number[] = []
  const memoryOfConsole: number[] = []
  let presses = 0
  const began = performance.now()
  for (let round = 0; performance.now() - began < 60_000 * minutes; round++) {
    const view = round % 2 === 0 ? (['grants', 'Live grants'] as const) : (['stream', 'Stream of verdicts'] as const)
    await show(tab, view[0], view[1])
    await tab.getByLabel('Filter').focus()
    for (const key of ['1', '0', '.', '7', 'Backspace', 'Backspace', 'Backspace', 'Backspace']) {
      await tab.keyboard.press(key)
      presses++
      await delay(KEY_PAUSE)
    }
    await devtools.send('HeapProfiler.collectGarbage')
    const { metrics } = await devtools.send('Performance.getMetrics')
    const metric = (name: string): number => metrics.find((one) => one.name === name)?.value ?? 0
    memory.push(metric('JSHeapUsedSize'))
    const status = readFileSync(`/proc/${lab.pid}/status`, 'utf8')
    memoryOfConsole.push(1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]))
    const open = view[0] === 'grants' ? ((await tab.locator('.count').textContent()) ?? '') : ''
    print(
      `${Math.round((performance.now() - began) / 1000)} s: page ${mib(memory.at(-1))} MiB, ${metric('Nodes')} nodes; ` +
        `console ${mib(memoryOfConsole.at(-1))} MiB ${open}`,
    )
  }
  const slow = await tab.evaluate(() => (window as unknown as { slow: number[] }).slow)
  // What takes less than a picture is not reported.
  const delays = [...slow, ...Array.from({ length: Math.max(0, presses - slow.length) }, () => 16)].sort(
    (a, b) => a - b,
  )
  const at = (share: number): number => delays[Math.min(delays.length - 1, Math.floor(share * delays.length))] ?? 0
  print(`${presses} key presses were painted after ${at(0.5)} ms (median), ${at(0.95)} ms (p95), ${at(1)} ms (longest)`)
  const [growth, growthOfConsole] = [memory, memoryOfConsole].map(grown)
  print(`memory, last third to first third: page ${growth?.toFixed(2)}, console ${growthOfConsole?.toFixed(2)}`)
  const shifts = await shiftsOf(tab)
  print(`layout shifts: ${shifts.length}; complaints of the browser: ${complaints.length}`)
  await sender.stop('SIGTERM')
  const isGood =
    at(0.95) <= MOST_DELAY && (growth ?? 0) < MOST_GROWTH.page && (growthOfConsole ?? 0) < MOST_GROWTH.console
  if (!isGood || shifts.length + complaints.length > 0) {
    print([...shifts, ...complaints].slice(0, 10).join('\n'))
    process.exitCode = 1
  }
} finally {
  await net.close()
}

function grown(values: readonly number[]): number {
  const third = Math.max(1, Math.floor(values.length / 3))
  const middle = (of: readonly number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0
  return middle(values.slice(-third)) / middle(values.slice(0, third))
}

function mib(bytes = 0): string {
  return (bytes / 1024 / 1024).toFixed(1)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
