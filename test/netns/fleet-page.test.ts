/**
 * Runs docs/FLEET.md as it is written, on three nodes and a client, and compares the output that the page shows. Then:
 * each packet opens its own node and no other; the real fwknop opens a node with an exported stanza, and the real
 * fwknopd is a node. Only the places of the files differ, and the test takes the part of ssh between the hosts.
 *
 *   laptop 192.0.2.77    ── 192.0.2.10    web-1
 *          198.51.100.77 ── 198.51.100.10 web-2
 *          203.0.113.77  ── 203.0.113.10  db-1
 *          10.9.0.77     ── 10.9.0.10     old-1, with fwknopd
 */
import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type AccessLines, startFwknopd } from '../interop/client-fwknopd.ts'
import { Daemon, dropByDefault, ghostportCommand, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const page = readFileSync(new URL('../../docs/FLEET.md', import.meta.url), 'utf8')
const NODES = { 'web-1': '192.0.2', 'web-2': '198.51.100', 'db-1': '203.0.113' } as const
type NodeName = keyof typeof NODES
const names = Object.keys(NODES) as NodeName[]
const nodeAt = (address: string): NodeName => {
  const found = names.find((name) => address === `${NODES[name]}.10`)
  assert.ok(found !== undefined, address)
  return found
}

const section = (heading: string): string => {
  const found = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert.ok(found !== undefined, heading)
  return found
}

/** `…` stands for anything. */
function pattern(shows: readonly string[]): RegExp {
  const escaped = shows.join('\n').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('…', '[\\s\\S]*')}$`)
}

describe('docs/FLEET.md', { skip: netnsUnavailable() }, () => {
  let net: Network
  let laptop: Host
  let home: string
  const hosts = new Map<NodeName, { host: Host; daemon: Daemon; bin: string; folder: string }>()
  const node = (name: NodeName) => {
    const found = hosts.get(name)
    assert.ok(found !== undefined, name)
    return found
  }

  before(async () => {
    net = await Network.create()
    laptop = await net.host('laptop')
    home = net.directory()
    mkdirSync(join(home, 'bin'))
    script(join(home, 'bin'), [`exec ${ghostportCommand().join(' ')} "$@"`])
    for (const name of names) {
      const host = await net.host(name)
      await net.link(laptop, [`${NODES[name]}.77/24`], host, [`${NODES[name]}.10/24`])
      dropByDefault(host)
      await host.listen([{ protocol: 'tcp', port: 22, banner: name }])
      const daemon = await Daemon.start(net, host, { access: stanza(['NAME admin']) })
      const folder = net.directory()
      const bin = join(folder, 'bin')
      mkdirSync(bin)
      const files = `-c ${daemon.path('fwknopd.conf')} -a ${daemon.path('access.conf')}`
      script(bin, [`exec ${ghostportCommand().join(' ')} "$@" ${files}`])
      hosts.set(name, { host, daemon, bin, folder })
    }
  })
  after(() => net?.close())

  function script(bin: string, lines: readonly string[]): void {
    writeFileSync(join(bin, 'ghostport'), ['#!/bin/bash', ...lines, ''].join('\n'))
    chmodSync(join(bin, 'ghostport'), 0o755)
  }

  function shell(on: NodeName | 'laptop', command: string): string {
    const at = on === 'laptop' ? { host: laptop, bin: join(home, 'bin'), folder: home } : node(on)
    // By ssh: the other host has the command, and this one the file.
    const [, address, remote, file] = /^ssh (\S+) sudo (.*) < (\S+)$/.exec(command) ?? []
    const where = address === undefined ? at : node(nodeAt(address))
    const words = remote === undefined ? command : `${remote} < ${join(at.folder, file ?? '')}`
    const { status, stdout } = where.host.run(['bash', '-c', `cd ${where.folder}; { ${words}; } 2>&1`], {
      env: { PATH: `${where.bin}:${process.env['PATH']}`, HOME: home, NO_COLOR: '1' },
    })
    assert.equal(status, 0, `${command}\n${stdout}`)
    return names.reduce((text, name) => text.replaceAll(node(name).daemon.directory, '/etc/fwknop'), stdout)
  }

  function follow(heading: string): void {
    let steps = 0
    for (const [, block = ''] of section(heading).matchAll(/^```\n((?:root|ada)@[\s\S]*?)^```$/gm))
      for (const step of block.trimEnd().split(/\n(?=(?:root|ada)@)/)) {
        const [first = '', ...shows] = step.split('\n')
        const [, on = '', command = ''] = /^(?:root|ada)@(\S+)[#$] (.*)$/.exec(first) ?? []
        const output = shell(on as NodeName | 'laptop', command)
        assert.match(output.trimEnd(), pattern(shows), command)
        steps++
        const [, profile] = /--profile-file (\S+)/.exec(command) ?? []
        if (profile !== undefined) renameSync(join(node(on as NodeName).folder, profile), join(home, profile))
      }
    assert.ok(steps > 0, heading)
  }

  const access = (name: NodeName): string => readFileSync(node(name).daemon.path('access.conf'), 'utf8')
  /** One packet for a node, as `ghostport knock` seals it. */
  function packetFor(name: string): string {
    const file = join(home, `packet-${name}-${Math.random()}`)
    shell('laptop', `ghostport knock ${name} -T -B ${file}`)
    return readFileSync(file, 'utf8').trim()
  }
  const send = (packet: string, to: NodeName) =>
    node(to).daemon.verdictAfter(() =>
      laptop.must(['bash', '-c', `printf %s '${packet}' > /dev/udp/${NODES[to]}.10/62201`]),
    )

  it('step by step', async () => {
    follow('Step by step')
    const secret = /NODE_SECRET_BASE64 +(\S+)/.exec(readFileSync(join(home, '.fwknoprc'), 'utf8'))?.[1] ?? ''
    assert.equal(secret.length, 44)
    for (const name of names) {
      await node(name).daemon.until(({ verdict, name: user }) => verdict === 'granted' && user === 'ada')
      assert.ok(!access(name).includes(secret.slice(0, 16)), 'no server has the secret')
    }
    assert.equal(new Set(names.map((name) => /NAME +ada[\s\S]*?\nKEY_BASE64 +(\S+)/.exec(access(name))?.[1])).size, 3)
  })

  it('a packet opens its own node, and no other', async () => {
    for (const name of names) {
      const packet = packetFor(name)
      for (const other of names.filter((it) => it !== name)) {
        const { event, code, name: user } = await send(packet, other)
        assert.deepEqual([event, code, user], ['refused', 'SPA_HMAC_MISMATCH', undefined], `${name} at ${other}`)
      }
      const { verdict, name: user } = await send(packet, name)
      assert.deepEqual([verdict, user], ['granted', 'ada'])
      assert.equal((await send(packet, name)).code, 'SPA_REPLAYED')
    }
  })

  it('an old client has the keys of one node', async () => {
    const { daemon } = node('web-2')
    const from = daemon.events.length
    follow('An old client, and an old server')
    const { verdict, name } = await daemon.until((event) => event.verdict !== undefined, from)
    assert.deepEqual([verdict, name], ['granted', 'ada'])
  })

  it('new keys: the old ones open during the overlap, on all nodes', async () => {
    cpSync(join(home, '.fwknoprc'), join(home, 'before'))
    follow('New keys')
    const now = packetFor('db-1')
    assert.equal((await send(now, 'db-1'))['name'], 'ada')
    renameSync(join(home, '.fwknoprc'), join(home, 'new'))
    cpSync(join(home, 'before'), join(home, '.fwknoprc'))
    for (const name of names) assert.match(String((await send(packetFor(name), name))['name']), /^ada\.old-\d{8}$/)
    renameSync(join(home, 'new'), join(home, '.fwknoprc'))
    const [end] = new Set(names.map((name) => /ACCESS_EXPIRE_EPOCH +(\d+)/.exec(access(name))?.[1]))
    assert.ok(names.every((name) => access(name).includes(`ACCESS_EXPIRE_EPOCH ${end}`)))
  })

  it('one more node: the bundle of the device opens it, also where fwknopd runs', async () => {
    follow('One more node')
    const old = await net.host('old-1')
    await net.link(laptop, ['10.9.0.77/24'], old, ['10.9.0.10/24'])
    await old.listen([{ protocol: 'tcp', port: 22, banner: 'old' }])
    shell('laptop', 'ghostport client extend old-1 --server 10.9.0.10')
    const bundle = readFileSync(join(home, 'ada.old-1.bundle'), 'utf8')
    const keys = [...bundle.matchAll(/^((?:HMAC_)?KEY_BASE64) +(\S+)$/gm)].map(
      ([, name = '', value = '']) => [name, value] as const,
    )
    const lines: AccessLines = [['SOURCE', 'ANY'], ['OPEN_PORTS', 'tcp/22'], ...keys]
    await startFwknopd(net, old, [lines])
    const probe = { protocol: 'tcp', address: '10.9.0.10', port: 22, timeoutMs: 150 } as const
    laptop.must(['bash', '-c', `printf %s '${packetFor('web-1')}' > /dev/udp/10.9.0.10/62201`])
    shell('laptop', 'ghostport client export old-1 > old.rc; chmod 600 old.rc')
    assert.match(await laptop.tcp('10.9.0.10', 22), /^(refused|timeout)$/, 'the packet for web-1 opens nothing here')
    shell('laptop', 'ghostport knock old-1')
    await laptop.until('old', probe, 3000)
  })
})
