/**
 * A warden that is held up for longer than it waits for its receiver. An earlier version ended an honest receiver for
 * that.
 */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientAndServer, Daemon, knock, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

/** Longer than the ten seconds after which a receiver counts as hung. */
const HELD_UP = 11_500

let net: Network
let client: Host
let server: Host

before(async () => {
  if (netnsUnavailable() !== false) return
  net = await Network.create()
  ;[client, server] = await clientAndServer(net)
})
after(() => net?.close())

it('keeps a receiver that it could not hear', { skip: netnsUnavailable() }, async () => {
  const daemon = await Daemon.start(net, server, { access: stanza(['OPEN_PORTS tcp/22'], undefined) })
  const { receiver } = await daemon.ready()
  // Heard at least once before.
  await delay(1_200)
  process.kill(daemon.pid, 'SIGSTOP')
  await delay(HELD_UP)
  process.kill(daemon.pid, 'SIGCONT')
  await delay(3_000)
  assert.deepEqual(
    daemon.events.filter(({ event }) => /hangs|lost|mistrusted/.test(event)),
    [],
  )
  assert.equal(daemon.status()['receiver'], receiver)
  const { verdict } = await daemon.verdictAfter(() => knock(client, SERVER, '-s', '-A', 'tcp/22'))
  assert.equal(verdict, 'granted')
  assert.equal(await client.tcp(SERVER, 22), 'ssh')
  await daemon.stop()
})
