/**
 * Beside a firewalld that owns its table (Debian 13), where no rule for the mark can be. The gate keeps each promise
 * there: strangers stay out while firewalld reloads, restarts, stops or is killed, over IPv4 and IPv6; what is open
 * stays open, and ends on time. And a set of firewalld itself, which could hold grants instead, keeps none of these:
 * docs/INIT.md says why it is not used.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT, type HostLab, hostLabUnavailable, SERVER } from '../../support/host-lab.ts'
import { InitLab } from '../init.ts'
import { allPortsAreShut, isClosedDuring } from '../outside.ts'
import { shutToStrangers } from '../traffic.ts'

const ACTS = [
  'firewall-cmd --reload',
  'firewall-cmd --complete-reload',
  'systemctl restart firewalld',
  'systemctl kill -s KILL firewalld; sleep 1; systemctl restart firewalld',
  'systemctl stop firewalld; sleep 1; systemctl start firewalld',
] as const
const SERVICE = 'org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1'

describe('beside a firewalld that owns its table', { skip: hostLabUnavailable() }, () => {
  let init: InitLab
  let lab: HostLab
  const must = (command: string): string => {
    const { status, stdout, stderr } = lab.console(command)
    assert.equal(status, 0, `# ${command}\n${stdout}${stderr}`)
    return stdout
  }
  /** Whether the client gets in, over IPv4 and IPv6. */
  const open = async (timeoutMs = 700): Promise<readonly boolean[]> => [
    await lab.ssh(SERVER.four, CLIENT.four, timeoutMs),
    await lab.ssh(SERVER.six, CLIENT.six, timeoutMs),
  ]
  /** When the last grant ends, in milliseconds since 1970, to a second; 0 without a grant. */
  const end = (): number => {
    const { grants } = JSON.parse(must('ghostport status --json')) as { readonly grants: { secondsLeft: number }[] }
    return Math.max(0, ...grants.map(({ secondsLeft }) => Date.now() + secondsLeft * 1000))
  }

  before(async () => {
    init = await InitLab.boot('trixie', 'firewalld')
    lab = init.lab
    must('systemctl start firewalld; for i in $(seq 50); do firewall-cmd --state && exit; sleep 0.1; done; exit 1')
  })
  after(() => lab?.close())

  it('no rule for the mark can be there', () => {
    const { stderr } = lab.console('nft insert rule inet firewalld filter_INPUT ct mark and 0x200000 != 0 accept')
    assert.match(stderr, /Operation not permitted/)
  })

  it('init takes the gate', async () => {
    await init.shut()
    const login = await init.knockAndLogIn()
    await init.says('Confirmed by the login')
    await init.session.close()
    init.session = login
    must('echo "FW_ACCESS_TIMEOUT 15" >> /etc/fwknop/access.conf && systemctl reload ghostport')
    await allPortsAreShut(lab)
    while (end() > 0) await delay(200)
  })

  for (const act of ACTS)
    it(`nothing is lost or opened by: ${act}`, async () => {
      lab.must('ghostport knock myserver --wait')
      lab.must(`ghostport knock myserver -D ${SERVER.six} --wait`)
      const [before, session] = [end(), await lab.login()]
      await isClosedDuring(lab, () => must(act))
      assert.deepEqual(await open(), [true, true], 'a grant is lost')
      assert.ok(Math.abs(end() - before) < 1500, 'a grant ends at another time')
      await shutToStrangers(lab, `after ${act}`)
      await session.must('true')
      await session.close()
      while (Date.now() < before + 1500) await delay(200)
      assert.deepEqual(await open(300), [false, false], 'a grant does not end')
    })

  it('a set of firewalld has one time for all entries, prolongs none, gives none up, and is emptied by a reload', () => {
    const made = '--permanent --new-ipset=grants --type=hash:ip --option=timeout=30'
    const rule = 'rule family=ipv4 source ipset=grants port port=22 protocol=tcp accept'
    must(`firewall-cmd ${made}; firewall-cmd --permanent --add-rich-rule="${rule}"; firewall-cmd --reload`)
    const call = (verb: string, entry: string) =>
      lab.console(`busctl call ${SERVICE}.ipset ${verb}Entry ss grants '${entry}'`)
    const left = (): number => Number(/expires (\d+)s/.exec(must('nft list set inet firewalld grants'))?.[1] ?? 0)
    assert.equal(call('add', '192.0.2.99').status, 0)
    assert.ok(left() > 20)
    assert.match(call('add', '192.0.2.98 timeout 60').stderr, /INVALID_ENTRY/)
    must('sleep 3')
    assert.equal(call('add', '192.0.2.99').status, 0)
    assert.ok(left() <= 27, 'a second call prolongs it')
    assert.match(call('remove', '192.0.2.99').stderr, /NOT_ENABLED/)
    assert.match(must(`busctl call ${SERVICE}.ipset getEntries s grants`), /^as 0$/m)
    must('firewall-cmd --reload')
    assert.equal(left(), 0)
  })
})
