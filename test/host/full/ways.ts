/**
 * The ways in which docs/BY-HAND.md closes the port, from the installation over a reboot to the removal of ghostport;
 * and what happens when each goes wrong.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DebianName } from '../../support/debian-root.ts'
import { codeIn } from '../../support/documents.ts'
import { HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { type Instead, Road } from '../../support/road.ts'
import { shutWhileItBoots } from '../outside.ts'
import { opensToKnocks, shutToStrangers } from '../traffic.ts'

interface Way {
  readonly title: string
  /** What step 6 enables. */
  readonly enables: string
  /** A section after that, for this way alone. */
  readonly afterwards?: string
  /** The state of the host before ghostport is installed. */
  readonly before?: string
  /** A mistake that keeps even a knock out. */
  readonly mistake: string
  /** Which words of OPERATING let the administrator in without ghostport, and how that change is kept. */
  readonly letIn?: { readonly word: RegExp; readonly keep: string }
}

const ways: readonly Way[] = [
  {
    title: 'Or nftables, closed by default',
    enables: 'ghostport nftables',
    mistake: "sed -i '/ct mark/d' /etc/nftables.conf && nft -f /etc/nftables.conf",
    letIn: { word: /^nft insert rule /, keep: "sed -i '/iif lo accept/a tcp dport 22 accept' /etc/nftables.conf" },
  },
  {
    title: 'Or ufw',
    enables: 'ghostport ufw',
    before: 'ufw allow OpenSSH',
    mistake: 'sed -i /connmark/d /etc/ufw/before.rules /etc/ufw/before6.rules && ufw reload',
    letIn: { word: /^ufw allow /, keep: 'true' },
  },
  {
    title: 'Gate mode, the way for a remote server',
    enables: 'ghostport',
    afterwards: 'In gate mode: closed before the network is up',
    // The receiver's port is one that no client uses.
    mistake: "sed -i 's/^SPA_PORTS .*/SPA_PORTS 62202;/' /etc/fwknop/fwknopd.conf && systemctl restart ghostport",
  },
]

const ENABLE = 'ghostport nftables'
const UNINSTALL = 'Taking ghostport off a host'

async function upToTheFirewall(road: Road): Promise<void> {
  for (const title of ['1. Install, on both', '2. Keys, on the server', '3. Serve', '4. Knock, from the client'])
    await road.walk(title)
}

/** All ways, each on a machine of its own. */
export function describeWays(debian: DebianName): void {
  for (const way of ways)
    describe(`${way.title}, on ${debian}`, { skip: hostLabUnavailable() }, () => {
      let lab: HostLab
      let road: Road

      before(async () => {
        lab = await HostLab.boot(debian)
        road = await Road.begin(lab, 'README.md', 'docs/BY-HAND.md')
        if (way.before !== undefined) await road.session.must(way.before)
      })
      after(() => lab?.close())

      it('closes the port while the session lives on, and a knock opens it', async () => {
        await upToTheFirewall(road)
        assert.ok(await lab.ssh(SERVER.four, STRANGER.four), 'closed before the firewall')
        await road.walk(way.title)
        await road.grantsEnd()
        await road.walk('6. Try it, then keep it', { [ENABLE]: way.enables })
        if (way.afterwards !== undefined) await road.walk(way.afterwards)
        await opensToKnocks(lab)
        assert.match(await road.session.must('systemctl list-timers --all --no-pager'), /^(?!.*open-again)/s)
      })

      it('leaves nothing of which ghostport warns', async () => {
        const said = await road.session.must('ghostport serve --exit-parse-config')
        assert.doesNotMatch(said, /warning/)
      })

      it('keeps IPv6 alive after the neighbours have forgotten each other', async () => {
        for (let times = 0; times < 3; times++) {
          lab.client.must(['ip', '-6', 'neigh', 'flush', 'dev', 'br0'])
          await road.session.must('ip -6 neigh flush dev host0')
          lab.must(`ghostport knock myserver -D ${SERVER.six} --wait`)
        }
      })

      it('is never open while it boots, and opens to a knock afterwards', async () => {
        await shutWhileItBoots(lab)
      })

      it('leaves the way in when ghostport is taken off as documented', async () => {
        lab.must('ghostport knock myserver --wait')
        const session = await lab.login()
        const commands = codeIn('docs/OPERATING.md', UNINSTALL)
        const wanted = way.letIn === undefined ? [/^systemctl disable ghostport-gate$/] : [way.letIn.word]
        for (const word of [...wanted, /^systemctl disable --now ghostport$/, /^ghostport serve --fw-flush$/]) {
          const command = commands.find((each) => word.test(each))
          assert.ok(command, `“${UNINSTALL}” has no ${word}`)
          await session.must(command)
        }
        if (way.letIn !== undefined) await session.must(way.letIn.keep)
        assert.ok(await lab.ssh(), 'locked out')
        await session.reboot()
        await lab.reachable()
      })
    })
}

/** Each way with a mistake in it: the timer, and the reboot. */
export function describeAccidents(debian: DebianName): void {
  const SOON: Instead = { '10 minutes': '40 seconds' }
  for (const way of ways)
    describe(`${way.title}, gone wrong, on ${debian}`, { skip: hostLabUnavailable() }, () => {
      let lab: HostLab
      let road: Road

      before(async () => {
        lab = await HostLab.boot(debian)
        road = await Road.begin(lab, 'README.md', 'docs/BY-HAND.md')
        await upToTheFirewall(road)
        await road.grantsEnd()
      })
      after(() => lab?.close())

      it('the timer opens the port again, also when systemd was reloaded meanwhile', async () => {
        const armed = performance.now()
        await road.walk(way.title, SOON)
        await road.session.must(way.mistake)
        assert.notEqual(lab.run('ghostport knock myserver --wait --wait-for 3').status, 0, 'no mistake')
        await shutToStrangers(lab)
        const at = async (milliseconds: number) => delay(Math.max(0, milliseconds - (performance.now() - armed)))
        await at(20_000)
        // It starts a timer of --on-active again; and on Debian 12 it reads `;` in the timer’s command as part of a
        // word.
        await road.session.must('systemctl daemon-reload')
        assert.equal(await lab.ssh(), false, 'open too early')
        await at(50_000)
        assert.ok(await lab.ssh(), 'still shut ten seconds after its time')
      })

      it('a reboot before step 6 opens it too', async () => {
        // The mistake is still there.
        await road.session.must('systemctl reset-failed; true')
        await road.walk(way.title)
        await road.session.must(way.mistake)
        assert.equal(await lab.ssh(), false)
        await road.session.reboot()
        await lab.reachable()
      })
    })
}
