/**
 * How long the real gateway takes to answer packets of each verdict of a real server.
 *
 *   client 10.9.1.1 ── 10.9.1.2 gateway 10.9.0.1 ── 10.9.0.2 server, which sends receipts
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Daemon, dropByDefault, ghostportCommand, stanza } from './daemon.ts'
import { Network } from './netns.ts'

const PROGRAM = fileURLToPath(new URL('../../bench/traffic/verdict-knocks.ts', import.meta.url))
export const VERDICTS = ['granted', 'denied', 'replayed', 'unknown'] as const
export type Verdict = (typeof VERDICTS)[number]

/** @param rounds answers of each verdict, in random order. @returns milliseconds, and how many verdicts there were. */
export async function verdictTimes(
  rounds: number,
): Promise<{ readonly times: Readonly<Record<Verdict, readonly number[]>>; readonly granted: number }> {
  await using net = await Network.create()
  const client = await net.host('client')
  const gate = await net.host('gateway')
  const server = await net.host('server')
  await net.link(client, ['10.9.1.1/24'], gate, ['10.9.1.2/24'])
  await net.link(gate, ['10.9.0.1/24'], server, ['10.9.0.2/24'])
  const file = join(net.directory(), 'gateway.conf')
  const lines = [
    ...['LISTEN https://10.9.1.2:443', 'HOST 10.9.1.2', 'TARGET office 10.9.0.2', 'USER nobody'],
    ...[`STATE_FOLDER ${join(net.directory(), 'state')}`, 'KNOCKS_PER_SOURCE 1000000', 'KNOCKS_PER_TARGET 100000'],
    ...['KNOCKS_IN_TOTAL 100000', 'RECEIPT_WAIT 500'],
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const gateway = gate.start(ghostportCommand('gateway', '--config', file))
  await gateway.says(/"event":"ready"/)
  dropByDefault(server)
  const daemon = await Daemon.start(net, server, {
    server: ['GATEWAY_ADDRESSES 10.9.0.1', 'GATEWAY_RECEIPTS Y', 'GATEWAY_MAX_SPA_PACKET_AGE 120'],
    access: stanza(['OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 4']),
  })
  const argv = ['--conditions=ghostport-source', PROGRAM, '10.9.1.2', String(rounds), '10.9.9.1']
  // Its log is read meanwhile: a server whose log nobody reads would be another one.
  const program = client.start([process.execPath, ...argv])
  assert.equal(await program.end(60_000 + rounds * 200), 0, program.output)
  const granted = daemon.events.filter(({ verdict }) => verdict === 'granted').length
  return { times: JSON.parse(program.output.trim().split('\n').at(-1) ?? ''), granted }
}
