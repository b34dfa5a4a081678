/**
 * `ghostport init` on a host where Docker publishes a port. The port is open for everybody in spite of the host's own
 * rules; after init, nobody gets there without a knock, also after a restart of Docker, and when a flush of all rules
 * leads the port from FORWARD to Docker's own proxy.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DebianName } from '../support/debian-root.ts'
import { CLIENT, type HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'
import { InitLab } from './init.ts'
import { allPortsAreShut, shutWhileItBoots } from './outside.ts'
import { shutToStrangers } from './traffic.ts'

const PUBLISHED = 8080
const IMAGE = [
  'mkdir -p /tmp/image/bin && cp /bin/busybox /tmp/image/bin/',
  'tar -C /tmp/image -c . | docker import - web',
  `docker run -d --restart always --name web -p ${PUBLISHED}:80 web /bin/busybox httpd -f -p 80 -h /`,
].join(' && ')

export function describeInitDocker(debian: DebianName): void {
  describe(`ghostport init beside Docker on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let init: InitLab
    let lab: HostLab
    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    /** Who reaches the published port, over IPv4 and IPv6. */
    const reach = async (who: typeof CLIENT | typeof STRANGER): Promise<readonly boolean[]> =>
      await Promise.all(
        ([4, 6] as const).map(async (family) => {
          const name = family === 4 ? 'four' : 'six'
          const said = await lab.client.tcp(SERVER[name], PUBLISHED, { source: who[name], timeoutMs: 1000 })
          return said !== 'timeout' && said !== 'refused' && said !== 'unreachable'
        }),
      )
    /** What the doctor says of Docker. */
    const doctor = () =>
      JSON.parse(must('ghostport doctor --server --only DOCKER_PORTS --json')).checks[0] as {
        readonly answer: string
        readonly seen: string | null
        readonly findings: readonly { readonly severity: string; readonly text: string }[]
      }
    const shut = async (when: string): Promise<void> => {
      await shutToStrangers(lab, when)
      assert.deepEqual(await reach(STRANGER), [false, false], `the published port is open ${when}`)
    }

    before(async () => {
      // In Debian 13, the program docker is a package of its own.
      const client = debian === 'bookworm' ? [] : (['docker-cli'] as const)
      init = await InitLab.boot(debian, 'busybox-static', ...client, 'docker.io')
      lab = init.lab
      must('systemctl start docker')
      must(IMAGE)
    })
    after(() => lab?.close())

    it('hides ssh and the published port', async () => {
      for (let tries = 0; tries < 50 && String(await reach(STRANGER)) !== 'true,true'; tries++) await delay(200)
      assert.deepEqual(await reach(STRANGER), [true, true], 'not published')
      assert.match(doctor().findings[0]?.text ?? '', /^Docker publishes tcp\/8080 to everybody/)
      const plan = JSON.parse(must(`ghostport init --plan --json --hide tcp/22,tcp/${PUBLISHED}`)) as {
        readonly way: string
        readonly rehearsal: { readonly good: boolean; readonly untried: readonly string[] }
      }
      assert.deepEqual([plan.way, plan.rehearsal.good], ['gate', true])
      assert.match(plan.rehearsal.untried.join(), /tcp\/8080 was not tried: .* as Docker does/)
      await init.shut(`--hide tcp/22,tcp/${PUBLISHED}`)
      await shut('after init')
      assert.equal(doctor().seen, 'the gate guards tcp/8080')
    })

    it('opens both by a knock', async () => {
      const login = await init.knockAndLogIn()
      await init.says('Confirmed by the login')
      assert.equal((await reach(CLIENT))[0], true)
      lab.must(`ghostport knock myserver -D ${SERVER.six} --wait`)
      assert.deepEqual(await reach(CLIENT), [true, true])
      await shut('during a grant')
      await login.close()
    })

    for (const act of [
      'systemctl restart docker',
      'docker restart web',
      'systemctl restart nftables',
      'nft flush ruleset',
    ])
      it(`stays shut after ${act}`, async () => {
        must(act)
        for (let tries = 0; tries < 20 && (await reach(STRANGER)).some(Boolean); tries++) await delay(100)
        await shut(`after ${act}`)
      })

    it('is never open while it boots, and opens to a knock afterwards', async () => {
      await shutWhileItBoots(lab, { ports: [22, PUBLISHED] })
      for (let tries = 0; tries < 50 && String(await reach(CLIENT)) !== 'true,true'; tries++) await delay(200)
      assert.deepEqual(await reach(CLIENT), [true, true])
      await allPortsAreShut(lab)
    })

    it('uninstall leaves Docker as it is', async () => {
      must('systemctl restart docker')
      must('ghostport uninstall --yes')
      for (let tries = 0; tries < 50 && String(await reach(STRANGER)) !== 'true,true'; tries++) await delay(200)
      assert.deepEqual(await reach(STRANGER), [true, true])
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })
  })
}
