/**
 * `ghostport user` beside the real fwknop: fwknopd reads the access.conf that the commands wrote, and lets the real
 * client in with the stanza of the rc file that they showed.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ghostportCommand } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'
import { type AccessLines, startFwknopd } from './client-fwknopd.ts'

const SERVER = '10.9.0.2'

describe('users, with the real fwknop', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let folder: string
  let fwknopd: Program | undefined

  before(async () => {
    net = await Network.create()
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    for (const port of [22, 80]) await server.listen([{ protocol: 'tcp', port, banner: `port ${port}` }])
    folder = net.directory()
    const places = `CONTROL_SOCKET ${join(folder, 'control.sock')};\nREPLAY_DB ${join(folder, 'replay.db')};\n`
    writeFileSync(join(folder, 'fwknopd.conf'), places, { mode: 0o600 })
    writeFileSync(join(folder, 'access.conf'), '# for both\n', { mode: 0o600 })
  })
  after(() => net?.close())

  const user = (...argv: readonly string[]): string =>
    server.must(ghostportCommand('user', ...argv, '-c', join(folder, 'fwknopd.conf')))
  const add = (name: string, ...argv: readonly string[]): string => {
    const shown = user('add', name, '--server', SERVER, '--show-secrets', '--alias', name, ...argv)
    const [half = ''] = /^\[.*\]\n(?:[A-Z_0-9]+ .*\n)+/m.exec(shown) ?? []
    const file = join(folder, `${name}.fwknoprc`)
    writeFileSync(file, half, { mode: 0o600 })
    return file
  }
  const fwknop = (name: string, file: string): void => {
    client.must(['fwknop', '--rc-file', file, '-n', name, '--no-save-args', '-E', 'none'])
  }
  /** The lines of the file in the form that the helper writes again. */
  const stanzas = (): readonly AccessLines[] => [
    readFileSync(join(folder, 'access.conf'), 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => /^(\S+)\s+(.*)$/.exec(line)?.slice(1) as unknown as readonly [string, string]),
  ]

  it('fwknopd opens for the client’s stanza of “user add”, and each user has only their own ports', async () => {
    const [ada, bob] = [add('ada', '--open', 'tcp/22', '--time', '5'), add('bob', '--open', 'tcp/80', '--expire', '1h')]
    fwknopd = await startFwknopd(net, server, stanzas(), net.directory())
    assert.equal(await client.tcp(SERVER, 22), 'refused')
    fwknop('ada', ada)
    await client.until('port 22', { protocol: 'tcp', address: SERVER, port: 22 })
    assert.equal(await client.tcp(SERVER, 80), 'refused')
    fwknop('bob', bob)
    await client.until('port 80', { protocol: 'tcp', address: SERVER, port: 80 })
    assert.doesNotMatch(fwknopd.output, /\[\*\](?!.*unknown access parameter: 'NAME')/)
    await fwknopd.stop()
  })

  it('fwknopd refuses a disabled user, and the others get in', async () => {
    user('disable', 'ada')
    // Its rules of before are gone with the namespace of another host.
    const other = await net.host('other')
    await net.link(client, ['10.9.1.1/24'], other, ['10.9.1.2/24'])
    for (const port of [22, 80]) await other.listen([{ protocol: 'tcp', port, banner: `port ${port}` }])
    const again = await startFwknopd(net, other, stanzas(), net.directory())
    const at = (name: string): void => {
      client.must([
        'fwknop',
        '--rc-file',
        join(folder, `${name}.fwknoprc`),
        '-n',
        name,
        '-D',
        '10.9.1.2',
        '--no-save-args',
        '-E',
        'none',
      ])
    }
    at('ada')
    at('bob')
    await client.until('port 80', { protocol: 'tcp', address: '10.9.1.2', port: 80 })
    assert.equal(await client.tcp('10.9.1.2', 22), 'refused')
    await again.says(/Access stanza has expired/)
    await again.stop()
    user('enable', 'ada')
  })

  it('fwknopd opens for the old keys and for the new ones during the overlap', async () => {
    const shown = user('rotate', 'bob', '--server', '10.9.2.2', '--show-secrets', '--alias', 'bob')
    const file = join(folder, 'bob.new')
    writeFileSync(file, /^\[.*\]\n(?:[A-Z_0-9]+ .*\n)+/m.exec(shown)?.[0] ?? '', { mode: 0o600 })
    for (const [i, rc] of [file, join(folder, 'bob.fwknoprc')].entries()) {
      const other = await net.host(`other${i}`)
      const [mine, its] = [`10.9.${2 + i}.1`, `10.9.${2 + i}.2`]
      await net.link(client, [`${mine}/24`], other, [`${its}/24`])
      await other.listen([{ protocol: 'tcp', port: 80, banner: 'port 80' }])
      const again = await startFwknopd(net, other, stanzas(), net.directory())
      client.must(['fwknop', '--rc-file', rc, '-n', 'bob', '-D', its, '--no-save-args', '-E', 'none'])
      await client.until('port 80', { protocol: 'tcp', address: its, port: 80 })
      await again.stop()
    }
  })
})
