/** The README's ghost service, after its nftables way; and the unit of a Node.js that the unit cannot see. */
import assert from 'node:assert/strict'
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
