/**
 * ghostport beside the real firewalld, on a Debian that boots. In gate mode firewalld lets ssh in, and ghostport shuts
 * it: both survive what the other does. With firewalld's backend for iptables, fwknop's chains come back after a
 * reload. And iptables-legacy, without firewalld, under the unit.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT, HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'

export function describeFirewalld(debian: 'bookworm' | 'trixie'): void {
  describe(`firewalld on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab
    before(async () => {
      lab = await HostLab.boot(debian, ['firewalld'])
    })
    after(() => lab?.close())

    const must = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    const configure = (settings: string): void => {
      must(`umask 077; printf '${settings}' > /etc/fwknop/fwknopd.conf`)
      must('systemctl daemon-reload; systemctl restart ghostport')
    }
    const open = (source: string): Promise<boolean> => lab.ssh(SERVER.four, source, 700)
    const knocks = (): string => lab.must(`ghostport knock -n ${SERVER.four} --wait`)
    const shut = async (): Promise<void> => {
      const deadline = performance.now() + 30_000
      while (await open(CLIENT.four)) {
        assert.ok(performance.now() < deadline, 'the port stays open')
        await delay(200)
      }
    }
    /** The owner of the grant gets in, and nobody else. */
    const isOpenToOwner = async (): Promise<void> => {
      assert.deepEqual([await open(CLIENT.four), await open(STRANGER.four)], [true, false])
    }

    it('is set up, and firewalld runs', () => {
      must('systemctl is-active firewalld')
      must('firewall-cmd --state')
      must('npm install -g --ignore-scripts /root/ghostport-*.tgz')
      must('mkdir -p -m 700 /etc/fwknop')
      const pair = must(`ghostport keygen --pair --json --server ${SERVER.four} --name myserver --open tcp/22,tcp/81`)
      const { access_conf: access, fwknoprc } = JSON.parse(pair) as { access_conf: string; fwknoprc: string }
      writeFileSync(join(lab.home, '.fwknoprc'), fwknoprc, { mode: 0o600 })
      const stanza = `${access}FW_ACCESS_TIMEOUT 10\nNAT_TARGETS local:22\n`
      must(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${stanza}END-OF-FILE`)
      must('ghostport unit > /etc/systemd/system/ghostport.service')
    })

    it('in mark mode, a start says that firewalld drops what a knock opens, and what to do', () => {
      must('firewall-cmd --permanent --remove-service=ssh; firewall-cmd --reload')
      must("umask 077; printf 'FIREWALL_MODE mark;\\n' > /etc/fwknop/fwknopd.conf")
      const said = lab.console('ghostport serve --exit-parse-config 2>&1').stdout
      assert.match(said, /inet firewalld filter_INPUT drops what ghostport opens/)
      assert.match(said, /FIREWALL_MODE gate/)
      must('firewall-cmd --permanent --add-service=ssh; firewall-cmd --reload')
    })

    it('in gate mode, a knock opens, and what is open lives through a reload and a restart of firewalld', async () => {
      configure('FIREWALL_MODE gate;\\nPROTECTED_PORTS tcp/22;\\nENABLE_IPT_LOCAL_NAT Y;\\n')
      assert.deepEqual([await open(CLIENT.four), await open(STRANGER.four)], [false, false])
      knocks()
      await isOpenToOwner()
      must('firewall-cmd --reload')
      await isOpenToOwner()
      await shut()
      must('systemctl restart firewalld')
      assert.equal(await open(CLIENT.four), false)
      knocks()
      await isOpenToOwner()
      must('systemctl restart firewalld')
      await isOpenToOwner()
      await shut()
    })

    it('in gate mode, a ghost service passes firewalld, also after its reload', async () => {
      must('firewall-cmd --reload')
      lab.must(`ghostport knock -n ${SERVER.four} -A tcp/22 --nat-local --nat-port 81`)
      const shown = (source: string): Promise<string> => lab.client.tcp(SERVER.four, 81, { source, timeoutMs: 700 })
      const knocked = performance.now()
      while (!(await shown(CLIENT.four)).startsWith('SSH-'))
        assert.ok(performance.now() - knocked < 5_000, 'no ssh on port 81')
      assert.doesNotMatch(await shown(STRANGER.four), /^SSH-/)
    })

    it('with firewalld’s backend for iptables, fwknop’s chains come back after a reload, with what is open', async () => {
      must('systemctl stop ghostport; ghostport serve --fw-flush')
      must("sed -i 's/^FirewallBackend=.*/FirewallBackend=iptables/' /etc/firewalld/firewalld.conf")
      must('firewall-cmd --permanent --remove-service=ssh; systemctl restart firewalld')
      configure('FIREWALL iptables;\\n')
      assert.deepEqual([await open(CLIENT.four), await open(STRANGER.four)], [false, false])
      knocks()
      await isOpenToOwner()
      must('firewall-cmd --reload')
      const reloaded = performance.now()
      while (!(await open(CLIENT.four))) assert.ok(performance.now() - reloaded < 5_000, 'the door did not come back')
      await isOpenToOwner()
      await shut()
      // It is started before its rules are there: the host's port is open meanwhile.
      must('systemctl restart firewalld; firewall-cmd --state')
      knocks()
      await isOpenToOwner()
    })

    it('without firewalld, iptables-legacy works under the unit', async () => {
      must('systemctl disable --now firewalld; systemctl stop ghostport; ghostport serve --fw-flush; nft flush ruleset')
      must('iptables-legacy -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT')
      must('iptables-legacy -A INPUT -i lo -j ACCEPT; iptables-legacy -P INPUT DROP; rm -f /run/xtables.lock')
      configure('FIREWALL iptables;\\nFIREWALL_EXE /usr/sbin/iptables-legacy;\\n')
      assert.deepEqual([await open(CLIENT.four), await open(STRANGER.four)], [false, false])
      knocks()
      await isOpenToOwner()
      await shut()
    })
  })
}
