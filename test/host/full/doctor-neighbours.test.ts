/**
 * The doctor beside the real ufw and firewalld: who manages the firewall, and what their rules do to a knock. And while
 * changes of `ghostport init` wait.
 */
import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { test } from 'node:test'
import { debianPackage } from '../../support/debian-packages.ts'
import type { MorePackage } from '../../support/debian-root.ts'
import { HostLab, hostLabUnavailable, SERVER } from '../../support/host-lab.ts'

interface Told {
  readonly code: string
  readonly answer: string
  readonly seen: string | null
  readonly findings: readonly { text: string; evidence: string[]; command: string | null; advice: string | null }[]
}

const skip = hostLabUnavailable()

/** With ghostport in mark mode for ssh. */
async function withServer(packages: readonly MorePackage[]): Promise<HostLab> {
  const lab = await HostLab.boot('trixie', packages)
  must(lab, `cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
  must(lab, 'install -m 600 /dev/null /etc/fwknop/fwknopd.conf')
  const pair = must(lab, `ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22`)
  must(lab, `umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${JSON.parse(pair).access_conf}END-OF-FILE`)
  must(lab, 'systemctl enable --now ghostport')
  return lab
}

function must(lab: HostLab, command: string): string {
  const { status, stdout, stderr } = lab.console(command)
  assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
  return stdout
}

function ask(lab: HostLab, code: string): Told {
  const { stdout, stderr } = lab.console(`ghostport doctor --json --only ${code}`)
  assert.ok(stdout.startsWith('{'), stderr)
  return JSON.parse(stdout).checks[0]
}

test('beside firewalld, whose table has an owner', { skip }, async () => {
  await using lab = await withServer(['firewalld'])
  must(lab, 'systemctl start firewalld && firewall-cmd --remove-service=ssh')
  assert.match(must(lab, 'nft -t list ruleset'), /table inet firewalld \{ # progname firewalld/)
  assert.deepEqual(ask(lab, 'TWO_MANAGERS').seen, 'firewalld')
  const { findings } = ask(lab, 'HOST_RULES')
  assert.match(findings[0]?.text ?? '', /inet firewalld filter_INPUT drops what ghostport opens/)
  assert.match(findings[0]?.advice ?? '', /use FIREWALL_MODE gate/)
  must(
    lab,
    "nft 'add table inet mine; add chain inet mine in { type filter hook input priority 0; policy accept; }; add rule inet mine in tcp dport 25 drop'",
  )
  assert.match(ask(lab, 'TWO_MANAGERS').findings[0]?.text ?? '', /^firewalld and nft write rules/)
})

test('beside ufw, and the command teaches it the mark', { skip }, async () => {
  await using lab = await withServer([])
  must(lab, 'ufw --force enable')
  assert.deepEqual(ask(lab, 'TWO_MANAGERS').seen, 'ufw')
  for (let round = 0; round < 2; round++) {
    const { findings } = ask(lab, 'HOST_RULES')
    const finding = findings.find(({ text }) => /drops what ghostport opens/.test(text))
    if (round === 0) assert.ok(finding, JSON.stringify(findings))
    if (finding !== undefined) must(lab, finding.command ?? 'false')
  }
  assert.equal(ask(lab, 'HOST_RULES').answer, 'good', JSON.stringify(ask(lab, 'HOST_RULES')))
  must(lab, 'ufw reload')
  assert.equal(ask(lab, 'HOST_RULES').answer, 'good')
})

test('beside two programs that manage the whole firewall, or flush the rules of each other', { skip }, async () => {
  await using lab = await HostLab.boot('trixie', ['firewalld'])
  must(lab, `cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
  must(lab, 'systemctl start firewalld; ufw --force enable')
  const both = ask(lab, 'TWO_MANAGERS').findings[0]
  assert.match(both?.text ?? '', /^ufw and firewalld write rules|^firewalld and ufw write rules/)
  assert.match(both?.advice ?? '', /keep one of them: .*ufw disable/)
  must(lab, 'ufw disable; systemctl disable --now firewalld; ufw --force enable; systemctl enable --quiet nftables')
  const flush = ask(lab, 'TWO_MANAGERS').findings.find(({ text }) =>
    /a restart of nftables\.service removes/.test(text),
  )
  assert.match(
    flush?.advice ?? '',
    /write “table inet filter” and “flush table inet filter” in place of “flush ruleset”/,
  )
  must(lab, "sed -i 's/^flush ruleset/table inet filter\\nflush table inet filter/' /etc/nftables.conf")
  must(lab, 'nft -c -f /etc/nftables.conf')
  assert.equal(ask(lab, 'TWO_MANAGERS').answer, 'good', JSON.stringify(ask(lab, 'TWO_MANAGERS')))
})

test('while changes of init wait, and after their timer was stopped or postponed', { skip }, async () => {
  await using lab = await HostLab.boot('trixie')
  must(lab, `cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
  assert.equal(ask(lab, 'DEAD_MAN').seen, 'nothing waits')
  const init = `ghostport init --yes --no-wait --hide tcp/22 --server ${SERVER.four}`
  must(lab, init)
  const waiting = ask(lab, 'DEAD_MAN').findings[0]
  assert.match(waiting?.text ?? '', /are taken back at \d{4}-.*Z, unless a knock confirms them$/)
  assert.equal(waiting?.command, 'ghostport init --confirm')
  // The unit is enabled only after the confirmation.
  const fix = lab.console('ghostport doctor --only UNIT --fix --yes')
  assert.equal(fix.status, 75)
  assert.match(fix.stderr, /--fix changes nothing while changes of “ghostport init” wait .*\[CHANGES_PENDING\]/)
  assert.equal(lab.console('systemctl is-enabled ghostport').stdout, 'disabled\n')
  must(lab, 'systemctl stop ghostport-undo.timer')
  const alone = ask(lab, 'DEAD_MAN').findings[0]
  assert.match(alone?.text ?? '', /no timer takes them back/)
  must(lab, alone?.command ?? 'false')
  assert.equal(ask(lab, 'DEAD_MAN').seen, 'nothing waits')
  must(lab, init)
  must(
    lab,
    "sed -i 's/^OnCalendar=.*/OnCalendar=2037-01-01 00:00:00 UTC/' /etc/systemd/system/ghostport-undo.timer && systemctl daemon-reload",
  )
  const postponed = ask(lab, 'DEAD_MAN').findings[0]
  assert.match(postponed?.text ?? '', /the timer that takes unconfirmed changes back was postponed/)
  must(lab, postponed?.command ?? 'false')
  assert.equal(ask(lab, 'DEAD_MAN').seen, 'nothing waits')
})
