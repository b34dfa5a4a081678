/**
 * docs/BY-HAND.md on a Debian that boots, over ssh: each command exactly as it is there. The port is closed
 * to strangers and open to a knock, before and after a reboot, over IPv4 and IPv6. Nobody is locked out. The other ways
 * and the accidents: beside this file.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { Road } from '../../support/road.ts'
import { shutWhileItBoots } from '../outside.ts'
import { opensToKnocks } from '../traffic.ts'

describe('a server by hand, on Debian 12 with nftables', { skip: hostLabUnavailable() }, () => {
  let lab: HostLab
  let road: Road

  before(async () => {
    lab = await HostLab.boot('bookworm')
    road = await Road.begin(lab, 'README.md', 'docs/BY-HAND.md')
  })
  after(() => lab?.close())

  it('gets a server that receives a knock, with nothing closed yet', async () => {
    await road.walk('1. Install, on both')
    await road.walk('2. Keys, on the server')
    await road.walk('3. Serve')
    await road.walk('4. Knock, from the client')
    assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
  })

  it('gets a closed port that a knock opens, while the session lives on', async () => {
    const first = road.session
    await road.walk('Or nftables, closed by default')
    await road.grantsEnd()
    await road.walk('6. Try it, then keep it')
    await opensToKnocks(lab)
    await first.must('true')
    assert.match(await road.session.must('systemctl list-timers --all --no-pager'), /^(?!.*open-again)/s)
  })

  it('has a receiver in a unit of its own, whose system calls are confined', async () => {
    const receiver = (await road.session.must(`pgrep -f '^ghostport: receiver'`)).trim()
    assert.match(await road.session.must(`cat /proc/${receiver}/cgroup`), /\/ghostport-receiver@[^/]+\.service$/m)
    assert.match(await road.session.must(`cat /proc/${receiver}/status`), /^NoNewPrivs:\t1\nSeccomp:\t2$/m)
    assert.doesNotMatch(await road.session.must('journalctl -t ghostport --no-pager'), /cannot be confined/)
  })

  it('lets an IPv6 neighbour find this host after its neighbours have forgotten it', async () => {
    lab.client.must(['ip', '-6', 'neigh', 'flush', 'dev', 'br0'])
    await road.session.must('ip -6 neigh flush dev host0')
    lab.must(`ghostport knock myserver -D ${SERVER.six} --wait`)
    assert.ok(await lab.ssh(SERVER.six, CLIENT.six))
  })

  it('is the same after a reboot', async () => {
    await shutWhileItBoots(lab)
    road.session = await lab.login()
  })

  it('says at systemctl restart that there is a typo, and does not try it again', async () => {
    await road.session.must(
      'cp -p /etc/fwknop/access.conf /root/good && echo OPEN_PROTS tcp/22 >> /etc/fwknop/access.conf',
    )
    const reload = await road.session.run('systemctl reload ghostport')
    assert.notEqual(reload.status, 0, reload.stdout)
    assert.equal((await road.session.must('systemctl is-active ghostport')).trim(), 'active')
    await opensToKnocks(lab)

    const restart = await road.session.run('systemctl restart ghostport')
    assert.notEqual(restart.status, 0, restart.stdout)
    assert.match(restart.stdout, /failed/)
    const status = await road.session.run('systemctl status --no-pager ghostport')
    assert.match(status.stdout, /status=78/)
    assert.match(status.stdout, /access\.conf:\d+: .*OPEN_PORTS/)
    const errors = await road.session.must('journalctl -p err -t ghostport --no-pager')
    assert.match(errors, /CONFIG_UNKNOWN_KEY/)
    await road.session.must('sleep 3')
    assert.equal((await road.session.must('systemctl show -P NRestarts ghostport')).trim(), '0')

    await road.session.must('cp -p /root/good /etc/fwknop/access.conf && systemctl restart ghostport')
    await opensToKnocks(lab)
  })
})
