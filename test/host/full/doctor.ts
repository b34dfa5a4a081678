/**
 * The doctor on a Debian that boots, with the package: what systemd, sshd and nftables of that Debian say. Each finding
 * is gone after its command.
 */
import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName } from '../../support/debian-root.ts'
import { HostLab, hostLabUnavailable, SERVER } from '../../support/host-lab.ts'

interface Told {
  readonly code: string
  readonly answer: string
  readonly seen: string | null
  readonly because: string | null
  readonly findings: readonly { severity: string; text: string; evidence: string[]; command: string | null }[]
}

/** Reads the greeting of sshd thirty times, from the address that the doctor asks from. */
const MANY_GREETINGS = `
const { connect } = require("node:net")
const once = (left) => {
  if (left === 0) return
  const socket = connect({ host: "${SERVER.four}", port: 22, localAddress: "127.0.0.1" })
  socket.on("error", () => {})
  socket.on("data", () => socket.destroy())
  socket.on("close", () => once(left - 1))
}
once(30)`

export function describeDoctor(debian: DebianName): void {
  describe(`the doctor on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab

    before(async () => {
      lab = await HostLab.boot(debian)
      must(`cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
    })
    after(() => lab?.close())

    function must(command: string): string {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    function examine(...words: string[]): readonly Told[] {
      const { stdout, stderr } = lab.console(`ghostport doctor --server --json ${words.join(' ')}`)
      assert.ok(stdout.startsWith('{'), stderr)
      return JSON.parse(stdout).checks
    }
    function ask(code: string): Told {
      const [told] = examine('--only', code)
      assert.ok(told)
      return told
    }
    /** Provokes a finding, runs its command, and asks again. */
    function provoked(code: string, provoke: string, text: RegExp): void {
      must(provoke)
      const told = ask(code)
      const finding = told.findings.find((each) => text.test(each.text))
      assert.ok(finding, JSON.stringify(told))
      must(finding.command ?? 'false')
      assert.equal(ask(code).answer, 'good', JSON.stringify(ask(code)))
    }

    it('says of a package that is not configured what is missing', () => {
      const told = examine()
      const answers = Object.fromEntries(told.map(({ code, answer }) => [code, answer]))
      assert.equal(answers['CONFIG'], 'not checked')
      for (const code of ['UNIT', 'RUNNING']) {
        const { findings } = told.find((each) => each.code === code) ?? assert.fail(code)
        assert.deepEqual(
          findings.map(({ text }) => text),
          ['this server is not set up yet'],
        )
      }
    })

    it('finds a configured server well', () => {
      must("umask 077; printf 'FIREWALL_MODE gate;\\nPROTECTED_PORTS tcp/22;\\n' > /etc/fwknop/fwknopd.conf")
      const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22`)
      const { access_conf: access } = JSON.parse(pair) as { access_conf: string }
      must(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${access}END-OF-FILE`)
      must('systemctl enable --now ghostport')
      const gate = ask('CONFIG').findings.find(({ text }) => /at boot, tcp\/22 is open/.test(text))
      assert.equal(gate?.severity, 'warning')
      must(gate.command ?? 'false')
      const told = examine()
      const bad = told.filter(({ findings }) => findings.some(({ severity }) => severity === 'error'))
      assert.deepEqual(bad, [])
      const good = told.filter(({ answer }) => answer === 'good').map(({ code }) => code)
      for (const code of [
        'CONFIG',
        'PERMISSIONS',
        'UNIT',
        'DEAD_MAN',
        'RUNNING',
        'CAPTURE',
        'HOST_RULES',
        'IPV6_HOLE',
        'TWO_MANAGERS',
        'KEYS',
        'DISK',
        'SSH_PENALTIES',
      ])
        assert.ok(good.includes(code), `${code}: ${JSON.stringify(told.find((each) => each.code === code))}`)
    })

    it('sees a packet that arrives on the real interface, and nothing is left behind', () => {
      assert.match(ask('CAPTURE').seen ?? '', /counted at host0, 192\.0\.2\.10; host0, 2001:db8::10$/)
      assert.equal(must('ls /sys/fs/bpf 2>/dev/null | wc -l').trim(), '0')
    })

    it('UNIT: stopped, not at boot, failed', () => {
      provoked('UNIT', 'systemctl stop ghostport', /does not run/)
      provoked('UNIT', 'systemctl disable --quiet ghostport', /does not start at boot/)
      provoked('UNIT', 'systemctl mask --runtime --now --quiet ghostport && systemctl daemon-reload', /masked/)
      assert.equal(ask('RUNNING').answer, 'good')
    })

    it('UNIT: a file of an administrator that is old, or was not read again', () => {
      must('ghostport unit --all /etc/systemd/system && systemctl daemon-reload && systemctl restart ghostport')
      assert.equal(ask('UNIT').answer, 'good', JSON.stringify(ask('UNIT')))
      provoked(
        'UNIT',
        'sed -i s/^Nice=.*/Nice=5/ /etc/systemd/system/ghostport.service && systemctl daemon-reload',
        /differs from what “ghostport unit” prints/,
      )
      provoked('UNIT', 'sleep 1; touch /etc/systemd/system/ghostport.service', /has not read it again/)
      must(
        'rm /etc/systemd/system/ghostport*.service /etc/systemd/system/ghostport*.socket && systemctl daemon-reload && systemctl restart ghostport',
      )
    })

    const [settings, own] = ['/etc/fwknop/fwknopd.conf', '/etc/systemd/system/ghostport.service']
    const packaged = '/usr/lib/systemd/system/ghostport.service'

    it('UNIT: ended with a fault, refused by systemd, or not there', () => {
      provoked(
        'UNIT',
        `cp -p ${settings} /root/good.conf; echo 'FIREWAL x;' >> ${settings}; systemctl restart ghostport; cp -p /root/good.conf ${settings}`,
        /the server ended \(exit-code\)/,
      )
      provoked(
        'UNIT',
        `printf '[Service]\\nNice=1\\n' > ${own}; systemctl daemon-reload`,
        /systemd does not accept the unit file of the server \(bad-setting\)/,
      )
      provoked(
        'UNIT',
        `systemctl stop ghostport; rm ${own}; mv ${packaged} /root/unit; systemctl daemon-reload`,
        /systemd has no unit for the server/,
      )
      must(`rm ${own}; mv /root/unit ${packaged}; systemctl daemon-reload; systemctl restart ghostport`)
      must('systemctl reenable --quiet ghostport')
      assert.equal(ask('UNIT').answer, 'good', JSON.stringify(ask('UNIT')))
    })

    it('UNIT: started again and again', async () => {
      for (let times = 1; times <= 3; times++) {
        must('systemctl kill --signal=KILL ghostport')
        const asked = 'systemctl show --property=NRestarts --value ghostport; systemctl is-active ghostport'
        for (let tries = 0; tries < 50 && lab.console(asked).stdout !== `${times}\nactive\n`; tries++) await delay(200)
      }
      const finding = ask('UNIT').findings.find(({ text }) => /has started the server again 3 times/.test(text))
      assert.ok(finding, JSON.stringify(ask('UNIT')))
      // As its advice says.
      must('systemctl restart ghostport')
      assert.equal(ask('UNIT').answer, 'good')
    })

    it('OTHER_UNITS: the socket of the receiver, the gate at boot', () => {
      must('ghostport unit --gate > /etc/systemd/system/ghostport-gate.service; systemctl daemon-reload')
      assert.match(
        ask('OTHER_UNITS').seen ?? '',
        /ghostport-receiver\.socket, ghostport-helper\.socket, ghostport-gate\.service/,
      )
      for (const [socket, text] of [
        ['ghostport-receiver.socket', /does not listen, so the server gets no new receiver/],
        ['ghostport-helper.socket', /does not listen, so the server gets no helper/],
      ] as const)
        provoked('OTHER_UNITS', `systemctl stop ${socket}`, text)
      // As at a boot where nft fails.
      const dropIn = '/run/systemd/system/ghostport-gate.service.d'
      must(
        `mkdir -p ${dropIn}; printf '[Unit]\\nRefuseManualStart=no\\nConditionPathExists=\\n[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > ${dropIn}/fails.conf; systemctl daemon-reload`,
      )
      provoked('OTHER_UNITS', '! systemctl start ghostport-gate', /the unit that shuts the gate at boot failed/)
      must(`rm -r ${dropIn}; systemctl daemon-reload`)
    })

    it('OTHER_UNITS: the policy of the host, and its watch', () => {
      must('ghostport policy install --allow tcp/22 --i-have-a-console')
      assert.equal(ask('OTHER_UNITS').answer, 'good')
      must('ghostport policy install --confirm --i-have-a-console')
      assert.match(ask('OTHER_UNITS').seen ?? '', /ghostport-policy\.service, ghostport-policy-watch\.service$/)
      const [unit, watch] = ['ghostport-policy.service', 'ghostport-policy-watch.service']
      provoked('OTHER_UNITS', `systemctl stop ${watch}`, /nobody puts the policy of this host back/)
      provoked('OTHER_UNITS', `systemctl stop ${unit}`, /the unit that loads the policy of this host is stopped/)
      assert.equal(ask('POLICY').answer, 'good')
      provoked('OTHER_UNITS', `systemctl disable --quiet ${watch}`, /after the next boot, nobody puts the policy/)
      provoked('OTHER_UNITS', `systemctl disable --quiet ${unit}`, /the policy of this host is not loaded at boot/)
      assert.equal(must(`systemctl is-enabled ${unit} ${watch}`), 'enabled\nenabled\n')
      provoked(
        'OTHER_UNITS',
        `cp -p /etc/ghostport/policy.nft /root/policy.nft; echo nonsense >> /etc/ghostport/policy.nft; ! systemctl restart ${unit}; cp -p /root/policy.nft /etc/ghostport/`,
        /the unit that loads the policy of this host failed/,
      )
    })

    it('SAVED_TABLES: all rules were saved where nftables loads them', () => {
      assert.equal(ask('SAVED_TABLES').answer, 'good')
      must('cp -p /etc/nftables.conf /root/nftables.conf; systemctl enable --quiet nftables')
      const saved =
        "printf '#!/usr/sbin/nft -f\\nflush ruleset\\ninclude \"/etc/nftables.d/*.nft\"\\n' > /etc/nftables.conf; mkdir /etc/nftables.d; nft list ruleset > /etc/nftables.d/all.nft; echo 'table inet of_others {\n}' >> /etc/nftables.d/all.nft"
      must(saved)
      for (const table of ['ghostport', 'ghostport_policy']) {
        const told = ask('SAVED_TABLES')
        const finding = told.findings.find(({ text }) => text.includes(`table “inet ${table}”`))
        assert.equal(finding?.severity, 'error', JSON.stringify(told))
        must(finding.command ?? 'false')
      }
      assert.equal(ask('SAVED_TABLES').answer, 'good')
      assert.match(must('cat /etc/nftables.d/all.nft'), /^table inet of_others \{\n\}$/m)
      must('nft --check -f /etc/nftables.conf')
      must(
        'cp -p /root/nftables.conf /etc/; rm -r /etc/nftables.d; ghostport policy remove; systemctl disable --quiet nftables',
      )
    })

    describe('--fix', () => {
      const fix = (code: string) => lab.console(`ghostport doctor --server --only ${code} --fix --yes`)
      const isActive = (): boolean => lab.console('systemctl is-active --quiet ghostport').status === 0

      it('enables a server that runs, and reads unit files again', () => {
        must('systemctl disable --quiet ghostport; sleep 1; touch /usr/lib/systemd/system/ghostport.service')
        const { status, stdout } = fix('UNIT')
        assert.match(stdout, /run: systemctl enable ghostport\n {2}done\n.*run: systemctl daemon-reload\n {2}done\n/s)
        assert.match(stdout, /Examined again:\n\nthe server\n {2}good: UNIT\n/)
        assert.equal(status, 0)
        assert.equal(must('systemctl is-enabled ghostport'), 'enabled\n')
      })

      it('asks at the terminal, and takes a no', () => {
        must('systemctl disable --quiet ghostport')
        const typed = (answer: string): string =>
          must(`printf '${answer}\\n' | script -qec 'ghostport doctor --server --only UNIT --fix' /dev/null`)
        assert.match(typed('n'), /Run it\? \[y\/N\][\s\S]*not done: it was not wanted/)
        assert.equal(lab.console('systemctl is-enabled ghostport').stdout, 'disabled\n')
        assert.match(typed('y'), /Run it\? \[y\/N\][\s\S]*done[\s\S]*good[\s\S]*UNIT/)
        assert.equal(must('systemctl is-enabled ghostport'), 'enabled\n')
      })

      it('starts no server that would shut ports, nor enables one that does not run', () => {
        must('systemctl stop ghostport; systemctl disable --quiet ghostport')
        for (const code of ['UNIT', 'RUNNING']) {
          const { status, stdout } = fix(code)
          assert.equal(status, 1)
          assert.match(stdout, /There is nothing that --fix may mend/)
        }
        assert.ok(!isActive())
        assert.equal(lab.console('systemctl is-enabled ghostport').stdout, 'disabled\n')
      })

      it('starts a server in mark mode, but not with a drop-in, other options, or a configuration at fault', () => {
        must(
          `cp -p ${settings} /root/gate.conf; systemctl enable --quiet ghostport; printf 'FIREWALL_MODE mark;\\n' > ${settings}`,
        )
        const dropIn = '/etc/systemd/system/ghostport.service.d'
        must(`mkdir ${dropIn}; printf '[Service]\\nNice=1\\n' > ${dropIn}/nice.conf; systemctl daemon-reload`)
        assert.match(fix('RUNNING').stdout, /There is nothing that --fix may mend/)
        must(`rm -r ${dropIn}; sed 's/^ExecStart=.*/& -O more.conf/' ${packaged} > ${own}; systemctl daemon-reload`)
        assert.match(fix('RUNNING').stdout, /There is nothing that --fix may mend/)
        must(`rm ${own}; systemctl daemon-reload; echo 'FIREWAL x;' >> ${settings}`)
        assert.match(fix('RUNNING').stdout, /There is nothing that --fix may mend/)
        must(`sed -i '$d' ${settings}`)
        assert.ok(!isActive())
        const { status, stdout } = fix('RUNNING')
        assert.match(stdout, /run: systemctl start ghostport\n {2}done\n[\s\S]*Examined again:[\s\S]*good: RUNNING/)
        assert.equal(status, 0)
        assert.ok(isActive())
        must(`cp -p /root/gate.conf ${settings}; systemctl restart ghostport`)
      })

      it('does nothing where it cannot see whether changes wait for a confirmation', () => {
        const folder = '/var/lib/ghostport/way-back'
        must(`mkdir -p -m 700 ${folder}; touch ${folder}/pending; echo x > ${folder}/waiting.json`)
        must('systemctl disable --quiet ghostport')
        const { status, stderr } = fix('UNIT')
        assert.equal(status, 75)
        assert.match(stderr, /cannot see whether changes wait: .*waiting\.json is damaged/)
        assert.equal(lab.console('systemctl is-enabled ghostport').stdout, 'disabled\n')
        must(`rm -r ${folder}; systemctl enable --quiet ghostport`)
      })

      it('hides a file with keys, and leaves one alone that others may have written', () => {
        const keys = '/etc/fwknop/access.conf'
        must(`chmod 644 ${keys}`)
        assert.match(
          fix('PERMISSIONS').stdout,
          /run: chmod 600 \/etc\/fwknop\/access\.conf\n {2}done\n[\s\S]*good: PERMISSIONS/,
        )
        assert.equal(must(`stat -c %a ${keys}`), '600\n')
        must(`chmod 666 ${keys}`)
        assert.match(fix('PERMISSIONS').stdout, /There is nothing that --fix may mend/)
        assert.equal(must(`stat -c %a ${keys}`), '666\n')
        must(`chmod 600 ${keys}`)
      })
    })

    it('TABLE_OWNER: says what this Debian can', () => {
      const { answer, findings } = ask('TABLE_OWNER')
      if (debian === 'bookworm')
        assert.match(findings[0]?.evidence.join() ?? '', /nftables is 1\.0\.\d+, and 1\.1\.0 is needed/)
      else assert.equal(answer, 'good')
    })

    it('LEGACY_TABLES: the doctor makes no table by looking', () => {
      assert.equal(ask('LEGACY_TABLES').answer, 'good')
      assert.equal(must('cat /proc/net/ip_tables_names 2>/dev/null || true'), '')
    })

    it('SSH_PENALTIES: an address that connects too often is locked out, and the doctor says so', async () => {
      if (debian === 'bookworm') {
        assert.match(ask('SSH_PENALTIES').seen ?? '', /SSH-2\.0-.*it locks nobody out/)
        return
      }
      must('rm /etc/ssh/sshd_config.d/lab.conf && systemctl restart ssh')
      assert.match(ask('SSH_PENALTIES').seen ?? '', /it locks out who connects some 18 times quickly/)
      // Another destination: of connections between one address and itself, the doctor counts its own.
      must(`/usr/local/bin/node -e '${MANY_GREETINGS}'`)
      const [finding] = ask('SSH_PENALTIES').findings
      assert.match(finding?.text ?? '', /has locked this address out/)
      assert.equal(finding?.severity, 'error')
      assert.match(finding.evidence.join(), /says: Not allowed at this time.*PerSourcePenalties /)
      // Its advice is to wait.
      let told = ask('SSH_PENALTIES')
      for (let tries = 0; tries < 60 && told.answer !== 'good'; tries++) {
        await delay(5_000)
        told = ask('SSH_PENALTIES')
      }
      // One more question could be one connection too many.
      assert.equal(told.answer, 'good', JSON.stringify(told))
    })

    it('a bug report has no name of this host', () => {
      const report = must('ghostport bugreport')
      assert.match(report, /^host\.distribution: debian$/m)
      assert.match(report, /^units\.ghostport\.service\.active: active$/m)
      assert.doesNotMatch(report, /192\.0\.2|2001:db8|\/etc|host0|myserver/)
    })
  })
}
