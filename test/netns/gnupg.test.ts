/** Servers with GnuPG, from outside: the process of its own, its end and its return, and reloads that bring it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { clientAndServer, Daemon, ghostportCommand, SERVER, stanza } from '../support/daemon.ts'
import { gnupgKeys, type Keyring, makeKeyring } from '../support/gnupg.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const { client2048 } = gnupgKeys
const HMAC = 'an hmac key'

describe('a server with GnuPG', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  let keyring: Keyring

  const gnupgStanza = (): string =>
    [
      'SOURCE ANY',
      'OPEN_PORTS tcp/22',
      `GPG_HOME_DIR ${keyring.home}`,
      'GPG_ALLOW_NO_PW Y',
      `GPG_FINGERPRINT_ID ${client2048.primary}`,
      `HMAC_KEY ${HMAC}`,
      '',
    ].join('\n')

  before(async () => {
    keyring = makeKeyring(['client2048', 'server2048'])
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    daemon = await Daemon.start(net, server, { access: stanza() })
  })
  after(async () => {
    await net?.close()
    keyring?.remove()
  })

  const knock = (...more: string[]): void => {
    const keys = ['--gpg-home-dir', keyring.home, '--gpg-recipient-key', 'server2048@spa.test', '--gpg-no-signing-pw']
    const signer = ['--gpg-signer-key', 'client2048@spa.test', '--key-hmac', HMAC]
    const words = ['knock', '--no-rc-file', '-D', SERVER, '-s', '-A', 'tcp/22', ...keys, ...signer, ...more]
    const { status, stderr } = client.run(ghostportCommand(...words))
    assert.equal(status, 0, stderr)
  }
  const granted = async (): Promise<void> => {
    const verdict = await daemon.verdictAfter(() => knock())
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
  }
  /** The newest GnuPG process, by the log. */
  const pid = (): number => Number(daemon.events.findLast(({ event }) => event === 'gnupg ready')?.['pid'])
  const statusOf = (process: number): string => readFileSync(`/proc/${process}/status`, 'utf8')
  /** Processes of a group. */
  const group = (leader: number): number[] =>
    readdirSync('/proc')
      .map(Number)
      .filter((process) => {
        try {
          const fields = readFileSync(`/proc/${process}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
          return process > 0 && Number(fields[2]) === leader && fields[0] !== 'Z'
        } catch {
          return false
        }
      })

  it('starts no process for it as long as no stanza uses it', () => {
    assert.equal(
      daemon.events.some(({ event }) => event.startsWith('gnupg')),
      false,
    )
  })

  it('gets it by a reload, and opens', async () => {
    daemon.configure({ access: stanza() + gnupgStanza() })
    const from = daemon.events.length
    daemon.reload()
    await daemon.until(({ event }) => event === 'gnupg ready', from)
    await daemon.until(({ event }) => event === 'reload', from)
    await granted()
  })

  it('runs it as a user of its own, without capabilities, in a group that ends as one', () => {
    const status = statusOf(pid())
    const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1])
    const receiver = Number(daemon.events.findLast(({ event }) => event === 'ready')?.['receiver'])
    assert(uid >= 60_900 && uid <= 60_999)
    assert.notEqual(statusOf(receiver).match(/^Uid:\t(\d+)/m)?.[1], String(uid))
    for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb', 'CapBnd'])
      assert.match(status, new RegExp(`^${set}:\\t0{16}$`, 'm'))
    assert.match(status, /^NoNewPrivs:\t1$/m)
    assert.match(status, /^Seccomp:\t2$/m)
    const members = group(pid())
    assert(members.length >= 3, String(members))
    for (const member of members) assert.match(statusOf(member), new RegExp(`^Uid:\\t${uid}\\t${uid}`, 'm'))
  })

  it('starts another where one is killed, with all that belonged to it, and opens again', async () => {
    const [old, members] = [pid(), group(pid())]
    const from = daemon.events.length
    process.kill(old, 'SIGKILL')
    await daemon.until(({ event }) => event === 'gnupg lost', from)
    await daemon.until(({ event }) => event === 'gnupg ready', from)
    assert.deepEqual(group(old), [], `of ${members}`)
    assert.notEqual(pid(), old)
    await granted()
  })

  it('starts another where the agent is killed', async () => {
    const agent = group(pid()).find((member) => readFileSync(`/proc/${member}/comm`, 'utf8').startsWith('gpg-agent'))
    assert(agent !== undefined)
    const from = daemon.events.length
    process.kill(agent, 'SIGKILL')
    const lost = await daemon.until(({ event }) => event === 'gnupg lost', from)
    assert.match(String(lost['detail']), /gpg-agent is gone/)
    await daemon.until(({ event }) => event === 'gnupg ready', from)
    await granted()
  })

  it('refuses a reload with a keyring that is not there, and goes on', async () => {
    daemon.configure({ access: gnupgStanza().replace(keyring.home, '/nowhere') })
    const from = daemon.events.length
    daemon.reload()
    const refused = await daemon.until(({ event }) => event === 'reload refused', from)
    assert.match(String(refused['detail']), /GPG_HOME_DIR: \/nowhere: there is no such folder/)
    await granted()
  })

  it('ends all of it when it stops, and leaves no copy of the keyring', async () => {
    const old = pid()
    await daemon.stop()
    assert.deepEqual(group(old), [])
    const left = readdirSync('/dev/shm').filter((name) => name.startsWith(`ghostport-gnupg-${old}-`))
    assert.deepEqual(left, [])
  })

  it('ends at PACKET_LIMIT only after gpg has answered, and the last packet opens', async () => {
    const limited = await Daemon.start(net, server, { access: gnupgStanza(), argv: ['-C', '1'] })
    await limited.until(({ event }) => event === 'gnupg ready')
    knock()
    assert.equal(await limited.program.end(), 0)
    const verdicts = limited.events.flatMap(({ verdict }) => verdict ?? [])
    assert.deepEqual(verdicts, ['granted'], JSON.stringify(limited.events))
  })

  it('ends at PACKET_LIMIT also if gpg never answers, and says so', async () => {
    const limited = await Daemon.start(net, server, { access: gnupgStanza(), argv: ['-C', '1'] })
    const ready = await limited.until(({ event }) => event === 'gnupg ready')
    process.kill(Number(ready['pid']), 'SIGSTOP')
    knock()
    assert.equal(await limited.program.end(), 0)
    const codes = limited.events.flatMap(({ verdict, code }) => (verdict === undefined ? [] : [code]))
    assert.deepEqual(codes, ['GNUPG_FAILED'], JSON.stringify(limited.events))
  })
})
