/** The README's ghost service, after its nftables way; and the unit of a Node.js that the unit cannot see. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { Road } from '../../support/road.ts'
import { shutToStrangers } from '../traffic.ts'

describe('the ghost service of the README', { skip: hostLabUnavailable() }, () => {
  let lab: HostLab
  let road: Road

  before(async () => {
    lab = await HostLab.boot('bookworm')
    road = await Road.begin(lab, 'README.md', 'docs/BY-HAND.md')
    for (const title of ['1. Install, on both', '2. Keys, on the server', '3. Serve', '4. Knock, from the client'])
      await road.walk(title)
    await road.walk('Or nftables, closed by default')
    await road.session.must(
      "sed -i '/iif lo accept/a tcp dport 80 accept' /etc/nftables.conf && nft -f /etc/nftables.conf",
    )
    await road.session.must('systemd-run --unit=web python3 -m http.server 80')
    await road.grantsEnd()
  })
  after(() => lab?.close())

  const web = (source: string): string =>
    lab.run(`curl -s -m 3 --interface ${source} http://${SERVER.four}/ -o /dev/null -w '%{http_code}'`).stdout

  it('leads to sshd on port 80 for the one who knocked, and to the web server for all others', async () => {
    assert.equal(web(STRANGER.four), '200')
    await road.walk('The ghost service')
    assert.match(await lab.client.tcp(SERVER.four, 80), /^SSH-/)
    assert.equal(web(STRANGER.four), '200')
    await shutToStrangers(lab)
  })

  it('looks the same to strangers before, during and after a knock, by our own scan and by nmap', async () => {
    const outside = `ghostport outside ${SERVER.four} --knock myserver --from ${STRANGER.four}`
    for (const [how, file] of [
      ['', 'own'],
      ['--nmap -p 22,80,443 --after 0', 'nmap'],
    ] as const) {
      await road.grantsEnd()
      writeFileSync(join(lab.home, 'seen.txt'), 'tcp/80\n')
      const said = lab.run(`${outside} ${how} --expect seen.txt --save ${file}.xml`, 240_000)
      assert.equal(said.status, 0, said.stdout + said.stderr)
      assert.match(said.stdout, /the same: before the knock and during it\nthe same: before the knock and after it\n/)
      assert.match(said.stdout, /during the knock:\nas expected by seen\.txt/)
      const during = readFileSync(join(lab.home, `${file}-during.xml`), 'utf8')
      assert.match(during, /portid="80"[^>]*><state state="open"/)
      assert.doesNotMatch(during, /SSH-|name="ssh"/)
    }
  })

  it('shows the door to the one who knocked, also in a scan of nmap', async () => {
    await road.grantsEnd()
    const said = lab.run(`ghostport outside ${SERVER.four} --knock myserver --json`, 240_000)
    assert.equal(said.status, 0, said.stdout + said.stderr)
    const { doors, proven } = JSON.parse(said.stdout)
    assert.equal(proven, true)
    assert.deepEqual(
      doors.map(({ ports, after: seen }: { ports: string; after: string }) => [ports, seen.slice(0, 4)]),
      [['80', 'SSH-']],
    )
  })

  it('a scan that waits less is warned of: an open port looks filtered to it, and nothing changed', async () => {
    await road.grantsEnd()
    // Of two attempts to connect, the first is lost. The kernel tries again after a second, so each answer comes late.
    lab.client.must(['nft', '-f', '-'], {
      input: `table netdev late {
        chain out {
          type filter hook egress device "br0" priority 0
          tcp dport 80 tcp flags & (syn | ack) == syn numgen inc mod 2 < 1 drop
        }
      }`,
    })
    const scan = (file: string, more = ''): string =>
      lab.must(`nmap -n -Pn --unprivileged -sT -p 80 --max-retries 0 ${more} -oX ${file} ${SERVER.four}`)
    scan('patient.xml', '--initial-rtt-timeout 5s --max-rtt-timeout 10s')
    scan('hasty.xml', '--initial-rtt-timeout 40ms --max-rtt-timeout 50ms')
    lab.client.must(['nft', 'delete', 'table', 'netdev', 'late'])
    const { status, stdout, stderr } = lab.run('ghostport outside --compare patient.xml hasty.xml')
    assert.equal(status, 1, stdout + stderr)
    assert.match(stdout, /tcp\/80: open → filtered/)
    assert.match(stderr, /warning: the command lines of patient\.xml and hasty\.xml differ \(.*--max-rtt-timeout 50ms/)
    assert.match(stderr, /looks filtered/)
  })

  it('leaves the port 22 to those who ask for it', async () => {
    lab.must(`sed '/^NAT_/d' .fwknoprc > plain && chmod 600 plain && ghostport knock --rc-file plain myserver --wait`)
    assert.ok(await lab.ssh())
  })

  it('is not what ghostport unit warns of, unlike a Node.js that nvm installed', async () => {
    const nvm = '/root/.nvm/versions/node/v24/bin'
    await road.session.must(`mkdir -p ${nvm} && cp /usr/local/bin/node ${nvm}/`)
    const warned = await road.session.must(`${nvm}/node /usr/lib/ghostport/dist/cli/ghostport.js unit > /tmp/unit`)
    assert.match(warned, /nvm.*ProtectHome=yes/)
    // What it says happens.
    await road.session.must('cp /tmp/unit /etc/systemd/system/hidden.service && systemctl daemon-reload')
    assert.notEqual((await road.session.run('systemctl start hidden')).status, 0)
    assert.doesNotMatch(await road.session.must('ghostport unit > /dev/null'), /warning/)
  })
})
