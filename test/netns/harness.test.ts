/** The harness itself: what the other tests here believe about it.
 *
 *     near 10.9.0.1 ──── 10.9.0.2 far
 *          fd09::1  ────  fd09::2
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { enter, Network, netnsUnavailable } from '../support/netns.ts'

const skip = netnsUnavailable()

test('probes tell a banner, an open port, a refusal and silence apart, in both families', { skip }, async () => {
  await using net = await Network.create()
  const near = await net.host('near')
  const far = await net.host('far')
  await net.link(near, ['10.9.0.1/24', 'fd09::1/64'], far, ['10.9.0.2/24', 'fd09::2/64'])
  await far.listen([
    { protocol: 'tcp', port: 22, banner: 'ssh' },
    { protocol: 'udp', port: 53, banner: 'dns for %peer' },
  ])
  assert.equal(await near.tcp('10.9.0.2', 22), 'ssh')
  assert.equal(await near.tcp('fd09::2', 22), 'ssh')
  assert.equal(await near.udp('10.9.0.2', 53), 'dns for 10.9.0.1')
  assert.equal(await near.udp('fd09::2', 53), 'dns for fd09::1')
  assert.equal(await near.tcp('10.9.0.2', 23), 'refused')
  assert.equal(await near.udp('10.9.0.2', 54), 'refused')
  assert.equal(await near.tcp('192.0.2.1', 22), 'unreachable')

  // Watched from its first packet: if conntrack first sees a connection half-way, it counts it as new.
  far.must(['nft', '-f', '-'], {
    input: 'table inet wall { chain in { type filter hook input priority 0; ct state established accept; }; }',
  })
  const kept = await near.connect('10.9.0.2', 22)
  far.must(['nft', 'add', 'chain', 'inet', 'wall', 'in', '{ policy drop; }'])
  assert.equal(await near.tcp('10.9.0.2', 22), 'timeout')
  assert.equal(await near.udp('10.9.0.2', 53), 'timeout')
  assert.equal(await kept.echoes(), true)
  far.must(['nft', 'flush', 'ruleset'])
  await near.until('ssh', { protocol: 'tcp', address: '10.9.0.2', port: 22 })
  await far.unlisten('tcp', 22)
  assert.equal(await near.tcp('10.9.0.2', 22), 'refused')
})

test('this very thread can enter a host and come back', { skip }, async () => {
  await using net = await Network.create()
  const host = await net.host('host')
  const home = readlinkSync('/proc/thread-self/ns/net')
  const leave = await enter(host)
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), readlinkSync(`/proc/${host.pid}/ns/net`))
  leave()
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home)
})

test('what a program started, and left running, ends with its host', { skip }, async () => {
  const net = await Network.create()
  const host = await net.host('host')
  const namespace = readlinkSync(`/proc/${host.pid}/ns/net`)
  await host.start(['sh', '-c', 'setsid sleep 600 & echo left']).says(/left/)
  await net.close()
  assert.deepEqual(inside(namespace), [])
})

test('a program that does not end in time is killed, and fails its test', { skip }, async () => {
  await using net = await Network.create()
  const program = (await net.host('host')).start(['sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 0.1; done'])
  await program.says(/deaf/)
  process.kill(program.pid, 'SIGTERM')
  await assert.rejects(program.end(200), /still running after 200 ms\ndeaf/)
  assert.equal(await program.ended, 'SIGKILL')
})

test('a test that is killed leaves no process and no directory entry of its hosts', { skip }, async () => {
  const harness = fileURLToPath(new URL('../support/netns.ts', import.meta.url))
  const body = `const { Network } = await import(${JSON.stringify(harness)})
    const net = await Network.create(); const host = await net.host('host')
    await host.listen([{ protocol: 'tcp', port: 1, banner: 'x' }])
    const sleeper = host.start(['sleep', '60'])
    console.log(host.pid, sleeper.pid, (await import('node:fs')).readlinkSync('/proc/' + host.pid + '/ns/net'))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', body], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const [holder, sleeper, namespace] = said.toString().trim().split(' ') as [string, string, string]
  assert.ok(existsSync(`/proc/${holder}`) && existsSync(`/proc/${sleeper}`))
  child.kill('SIGKILL')
  const deadline = performance.now() + 5_000
  while (inside(namespace).length > 0 && performance.now() < deadline) await delay(10)
  assert.deepEqual(inside(namespace), [])
})

function inside(namespace: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && namespaceOf(pid) === namespace)
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}
