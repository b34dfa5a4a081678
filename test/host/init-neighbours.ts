/**
 * `ghostport init` beside other firewalls of a Debian that boots: what it chooses, that strangers find no open port,
 * also through each reload and restart of the neighbour and through a reboot, that a knock opens, and that uninstall
 * leaves the neighbour as it was.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DebianName, MorePackage } from '../support/debian-root.ts'
import { type HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'
import { InitLab } from './init.ts'
import { allPortsAreShut, shutWhileItBoots } from './outside.ts'
import { shutToStrangers } from './traffic.ts'

interface Neighbour {
  readonly title: string
  /** Makes the host as it was before init. */
  readonly make: string
  /** The way that init chooses, and whom it asks to let the port in. */
  readonly way: readonly ['gate' | 'mark', 'ufw' | 'firewalld' | null]
  /** What its administrator does afterwards. */
  readonly does: readonly string[]
  /** What is compared after uninstall, besides files and rules. */
  readonly shows?: string
  /** Takes it away again. */
  readonly unmake: string
  /** Absent: strangers got in before. */
  readonly wasShut?: true
}

const nft = (rules: string): string => `cat > /etc/nftables.conf <<'END'
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
    ${rules}
  }
}
END
systemctl enable --now --quiet nftables; systemctl restart nftables`
const NO_NFT = 'systemctl disable --now --quiet nftables; nft flush ruleset; cp /root/nftables.conf /etc/nftables.conf'

/** @param kind `iptables`, which is iptables-nft here, or `iptables-legacy`. Its rules are there from each boot on. */
function iptables(kind: 'iptables' | 'iptables-legacy'): Neighbour {
  const [four, six] = kind === 'iptables' ? ['iptables', 'ip6tables'] : ['iptables-legacy', 'ip6tables-legacy']
  const [both, rules] = [`${four} ${six}`, '-m conntrack --ctstate ESTABLISHED -j ACCEPT']
  return {
    title: `${kind}, which lets ssh in`,
    make: [
      ...(kind === 'iptables' ? [] : [alternatives(both)]),
      `for p in ${both}; do $p -A INPUT ${rules}; $p -A INPUT -i lo -j ACCEPT; $p -A INPUT -p tcp --dport 22 -j ACCEPT; done`,
      `${six} -A INPUT -p ipv6-icmp -j ACCEPT; ${four} -P INPUT DROP; ${six} -P INPUT DROP`,
      `for p in ${both}; do $p-save > /root/$p.rules; done`,
      `cat > /etc/systemd/system/rules.service <<'END'\n${unit(both.split(' '))}END`,
      'systemctl daemon-reload; systemctl enable --quiet rules',
    ].join('\n'),
    way: ['gate', null],
    does: both.split(' ').map((each) => `${each}-save > /root/rules; ${each}-restore < /root/rules`),
    // Without the numbers that each packet changes.
    shows: both
      .split(' ')
      .map((each) => `${each}-save | grep "^[-:]" | sed "s/ \\[.*//"`)
      .join('; '),
    unmake: [
      'systemctl disable --quiet rules; rm /etc/systemd/system/rules.service; systemctl daemon-reload',
      `for p in ${both}; do $p -P INPUT ACCEPT; $p -F; done; nft flush ruleset`,
      ...(kind === 'iptables' ? [] : [alternatives('iptables-nft ip6tables-nft')]),
    ].join('; '),
  }
}

const alternatives = (programs: string): string =>
  `for p in ${programs}; do update-alternatives --set \${p%-*} /usr/sbin/$p; done`

/** As netfilter-persistent does. */
const unit = (programs: readonly string[]): string => `[Unit]
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
${programs.map((each) => `ExecStart=/usr/sbin/${each}-restore /root/${each}.rules\n`).join('')}[Install]
WantedBy=multi-user.target
`

const plain: readonly Neighbour[] = [
  {
    title: 'nftables, which lets ssh in',
    make: nft('tcp dport 22 accept'),
    way: ['gate', null],
    does: ['systemctl reload nftables', 'systemctl restart nftables', 'nft flush ruleset; nft -f /etc/nftables.conf'],
    unmake: NO_NFT,
  },
  {
    title: 'nftables, which shuts ssh and accepts the mark',
    make: nft('ct mark and 0x200000 == 0x200000 accept'),
    way: ['mark', null],
    does: ['systemctl reload nftables', 'systemctl restart nftables'],
    unmake: NO_NFT,
    wasShut: true,
  },
  iptables('iptables'),
  {
    title: 'ufw, which lets ssh in',
    make: 'ufw allow OpenSSH; ufw --force enable',
    way: ['gate', null],
    does: ['ufw reload', 'ufw disable; ufw --force enable', 'systemctl restart ufw'],
    shows: 'ufw status verbose',
    unmake: 'ufw --force reset; rm -f /etc/ufw/*.rules.2*; nft flush ruleset',
  },
  {
    title: 'ufw, which shuts ssh',
    make: 'ufw --force enable',
    way: ['gate', 'ufw'],
    does: ['ufw reload', 'ufw disable; ufw --force enable', 'systemctl restart ufw'],
    shows: 'ufw status verbose',
    unmake: 'ufw --force reset; rm -f /etc/ufw/*.rules.2*; nft flush ruleset',
    wasShut: true,
  },
  iptables('iptables-legacy'),
]

const firewalld: readonly Neighbour[] = [
  {
    title: 'firewalld, which lets ssh in',
    make: 'firewall-cmd --state',
    way: ['gate', null],
    does: ['firewall-cmd --reload', 'firewall-cmd --complete-reload', 'systemctl restart firewalld'],
    shows: 'firewall-cmd --list-all; firewall-cmd --permanent --list-all',
    unmake: 'true',
  },
  {
    title: 'firewalld, which shuts ssh',
    make: 'firewall-cmd --permanent --remove-service=ssh; firewall-cmd --reload',
    way: ['gate', 'firewalld'],
    does: ['firewall-cmd --reload', 'systemctl restart firewalld'],
    shows: 'firewall-cmd --list-all; firewall-cmd --permanent --list-all',
    unmake: 'true',
    wasShut: true,
  },
]

export function describeInitNeighbours(debian: DebianName, kind: 'plain' | 'firewalld'): void {
  const packages: readonly MorePackage[] = kind === 'firewalld' ? ['firewalld'] : []
  describe(`ghostport init beside others on ${debian}: ${kind}`, { skip: hostLabUnavailable() }, () => {
    let init: InitLab
    let lab: HostLab

    before(async () => {
      init = await InitLab.boot(debian, ...packages)
      lab = init.lab
      // Connections are tracked from now on, so that the session lives through each firewall.
      must(
        'cp /etc/nftables.conf /root/nftables.conf; nft add table inet lab; nft add chain inet lab c "{ type filter hook input priority 0; }"; nft add rule inet lab c ct state new counter',
      )
      await init.session.must('true')
    })
    after(() => lab?.close())

    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    const shown = ({ shows = 'nft list ruleset' }: Neighbour): string =>
      must(
        `${shows}; find /etc/ufw /etc/firewalld /etc/nftables.conf -type f -name "*.rules" -o -name "*.xml" -o -name "*.conf" 2>/dev/null | sort | xargs sha256sum; true`,
      )

    for (const neighbour of kind === 'plain' ? plain : firewalld)
      it(neighbour.title, async (t) => {
        must('nft delete table inet lab 2>/dev/null; true')
        t.after(() => lab.console(`ghostport init --revert; ghostport uninstall --yes; ${neighbour.unmake}`))
        must(neighbour.make)
        await init.session.must('true')
        assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 700), neighbour.wasShut !== true)
        const before = shown(neighbour)
        const plan = JSON.parse(must('ghostport init --plan --json')) as {
          readonly way: string
          readonly letIn: string | null
          readonly rehearsal: { readonly good: boolean }
        }
        assert.deepEqual([plan.way, plan.letIn, plan.rehearsal.good], [...neighbour.way, true])
        assert.equal(shown(neighbour), before, 'a plan changes something')

        await init.shut()
        await shutToStrangers(lab, 'after init')
        const login = await init.knockAndLogIn()
        await init.says('Confirmed by the login')
        await login.close()
        await allPortsAreShut(lab)
        for (const act of neighbour.does) {
          must(act)
          // Where the kernel lets others flush the table, ghostport puts it back.
          for (let tries = 0; tries < 20 && (await lab.ssh(SERVER.four, STRANGER.four, 100)); tries++) await delay(100)
          await shutToStrangers(lab, `after ${act}`)
        }
        await shutWhileItBoots(lab)
        init.session = await lab.login()

        if (neighbour.wasShut && neighbour.way[0] === 'gate')
          assert.match(
            lab.console('ghostport uninstall </dev/null 2>&1').stdout,
            /would get in by ssh afterwards.*\[SETUP_REFUSED\]/,
          )
        must('ghostport uninstall --yes')
        assert.equal(shown(neighbour), before)
        assert.equal(await lab.ssh(SERVER.four, STRANGER.four, 700), neighbour.wasShut !== true)
      })

    if (kind === 'plain')
      it('rules by hand that shut ssh: init names the missing rule, and changes nothing', async () => {
        must(nft('udp dport 53 accept'))
        const before = shown({ ...(plain[0] as Neighbour) })
        const { status, stderr } = lab.console('ghostport init --yes')
        assert.equal(status, 69)
        assert.match(
          stderr,
          /nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept \[SETUP_REFUSED\]/,
        )
        assert.equal(shown({ ...(plain[0] as Neighbour) }), before)
        must(NO_NFT)
      })
  })
}
