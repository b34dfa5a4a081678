/**
 * docs/CLUSTER.md, word for word, on three Debians that boot: from nothing to three nodes. Then a knock at one of them,
 * its copy at another, and one of the three off.
 *
 *   client 10.0.0.77 ── bridge ── web-1 10.0.0.1, web-2 10.0.0.2, web-3 10.0.0.3: each with etcd and ghostport
 */
import assert from 'node:assert/strict'
import { appendFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sendPacket } from '../../support/daemon.ts'
import { debianPackage } from '../../support/debian-packages.ts'
import type { DebianName, MorePackage } from '../../support/debian-root.ts'
import { readDocument, type Section, section } from '../../support/documents.ts'
import { HostLab, hostLabUnavailable, type Place } from '../../support/host-lab.ts'

const PLACES: readonly Place[] = [1, 2, 3].map((n) => ({
  ...{ name: `web-${n}`, four: `10.0.0.${n}`, six: `2001:db8::${n}` },
}))
const PACKAGES: readonly MorePackage[] = ['etcd-client', 'etcd-server', 'openssl']
/** Of the administrator’s shell: what is typed is also in this file, if its name is given. */
const TRANSCRIPT = process.env['CLUSTER_TRANSCRIPT']

export function describeCluster(debian: DebianName): void {
  describe(`docs/CLUSTER.md, on three ${debian}`, { skip: hostLabUnavailable() }, () => {
    const labs: HostLab[] = []
    let document: readonly Section[]
    const first = (): HostLab => labs[0] as HostLab

    before(async () => {
      document = readDocument('docs/CLUSTER.md')
      const [one, ...others] = PLACES
      labs.push(await HostLab.boot(debian, PACKAGES, [], one))
      for (const place of others) labs.push(await HostLab.bootBeside(first(), place, debian, PACKAGES))
      setUpGhostport(labs)
    })
    after(async () => {
      for (const lab of labs.toReversed()) await lab.close()
    })

    /** Types what a section says for the servers at `lab`, and what it says for the client. */
    async function walk(title: string, lab: HostLab, instead: Readonly<Record<string, string>> = {}): Promise<string> {
      const lines = ['set -e']
      let said = ''
      const typed = async (): Promise<void> => {
        if (lines.length === 1) return
        const text = Object.entries(instead).reduce(
          (all, [word, other]) => all.replaceAll(word, other),
          lines.join('\n'),
        )
        said += await must(lab, text)
        lines.length = 1
      }
      for (const step of section(document, title).steps) {
        if (step.kind === 'file') lines.push(`cat > ${step.path} <<'END-OF-FILE'\n${step.text}END-OF-FILE`)
        else if (step.kind === 'server') lines.push(step.command)
        else {
          await typed()
          transcribe(`you$ ${step.command}`)
          const { status, stdout, stderr } = lab.run(step.command, 180_000)
          assert.equal(status, 0, `$ ${step.command}\n${stdout}${stderr}`)
        }
      }
      await typed()
      return said
    }

    it('makes certificates, and an etcd of three members that asks for a login', async () => {
      await walk('1. Certificates for etcd, on web-1', first())
      // All three at once: a member waits for the others.
      for (const lab of labs)
        await walk('2. etcd, on each server', lab, {
          'NAME=web-1 IP=10.0.0.1': `NAME=${lab.place.name} IP=${lab.place.four}`,
        })
      await walk('3. Logins for etcd, on web-1', first())
    })

    it('makes the first node, and two others join', async () => {
      const made = await walk('4. The first node, on web-1', first())
      assert.match(made, /the user ghostport-front: made/)
      for (const lab of labs.slice(1))
        await walk('5. The other nodes, on web-2 and web-3', lab, { '--node web-2': `--node ${lab.place.name}` })
      for (const lab of labs) await usable(lab)
    })

    it('says that all is well', async () => {
      // A node writes of itself every 20 s.
      const known = (lab: HostLab): boolean => {
        const { stdout } = lab.console('ghostport cluster status')
        return PLACES.every(({ name }) => new RegExp(`^ +${name} +ghostport `, 'm').test(stdout))
      }
      for (const lab of labs) await eventually(lab, 'ghostport cluster status', () => known(lab))
      for (const lab of labs) {
        const said = await walk('6. Look, on each server', lab)
        for (const { name } of PLACES) assert.match(said, new RegExp(`^ +${name} +ghostport .* wrote`, 'm'))
        assert.doesNotMatch(said, /^ *(error|warning): /m)
        // Of Debian’s etcd: docs/CLUSTER.md, “What etcd does not hold”.
        const hints = [...said.matchAll(/^ *hint: .*\[(\w+)\]$/gm)].map(([, code]) => code)
        assert.ok(
          hints.every((code) => code === 'PERMISSIONS'),
          said,
        )
      }
    })

    it('lets nobody talk to etcd without a certificate, and takes no node for a member', () => {
      /** What a port answers to somebody who shows this certificate. */
      const answer = (port: number, shown: string): string => {
        const client = `openssl s_client -quiet -CAfile /etc/etcd/ca.pem -connect 10.0.0.2:${port} ${shown}`
        return first().console(`(printf 'GET /version HTTP/1.0\\r\\n\\r\\n'; sleep 1) | ${client} 2>&1`).stdout
      }
      const member = '-cert /etc/etcd/10.0.0.1.pem -key /etc/etcd/10.0.0.1.key'
      const node = '-cert /etc/fwknop/etcd.pem -key /etc/fwknop/etcd.key'
      assert.match(answer(2379, node), /^HTTP\/1/m)
      assert.doesNotMatch(answer(2379, ''), /^HTTP\/1/m)
      assert.match(answer(2380, member), /^HTTP\/1/m)
      assert.doesNotMatch(answer(2380, node), /^HTTP\/1/m)
    })

    it('refuses a copy of a packet at another node', async () => {
      const [text, copyAt] = [packet(first()), PLACES[1] as Place]
      // What the client opened to copy files.
      for (const lab of labs) await closed(lab)
      transcribe('', 'One packet, to web-1, and the same to web-2:')
      sendPacket(first().client, '10.0.0.1', text)
      const verdict = await lastVerdict(labs[0] as HostLab)
      assert.equal(verdict['verdict'], 'granted', JSON.stringify(verdict))
      assert.ok(await first().ssh('10.0.0.1', '10.0.0.77'), 'the door of web-1 is shut')
      sendPacket(first().client, copyAt.four, text)
      const refused = await lastVerdict(labs[1] as HostLab)
      assert.equal(refused['code'], 'SPA_REPLAYED', JSON.stringify(refused))
      assert.match(String(refused['detail']), /used at web-1, another node/)
      assert.equal(await first().ssh('10.0.0.2', '10.0.0.77', 700), false)
      transcribe(
        `web-1: ${verdict['verdict']} ${verdict['grant']}; ssh answers`,
        `web-2: ${refused['code']}: ${refused['detail']}; ssh is shut`,
      )
    })

    it('goes on with one of the three off, and says so', async () => {
      await must(labs[2] as HostLab, 'systemctl stop etcd ghostport')
      transcribe('', 'web-3 is off. A knock at web-2:')
      first().must('ghostport knock web-2 --wait')
      assert.ok(await first().ssh('10.0.0.2', '10.0.0.77'))
      const { status, stdout } = first().console('ghostport cluster check')
      transcribe(`web-1# ghostport cluster check   (exit status ${status})`, ...stdout.trimEnd().split('\n'))
      assert.match(stdout, /1 of 3 members do not answer \[MEMBERS\]/)
      await must(labs[2] as HostLab, 'systemctl start etcd ghostport')
      for (const lab of labs) await usable(lab)
    })

    it('restores a backup of etcd, and lets no packet in that was used after it', async () => {
      await walk('A backup, on web-1', first())
      first().must('ghostport knock web-2 --wait')
      const used = await lastVerdict(labs[1] as HostLab)
      assert.equal(used['verdict'], 'granted', JSON.stringify(used))
      const [text, other] = [packet(first()), packet(first())]
      sendPacket(first().client, '10.0.0.1', text)
      assert.equal((await lastVerdict(first()))['verdict'], 'granted')
      for (const lab of labs) await walk('Before a restore, on each server', lab)
      for (const lab of labs)
        await walk('A restore, on each server', lab, {
          'NAME=web-1 IP=10.0.0.1': `NAME=${lab.place.name} IP=${lab.place.four}`,
        })
      await answers(first())
      // Nobody but web-1 has seen the first. Nobody has seen the second, and it may be as old.
      for (const [lab, sent] of [
        [labs[1] as HostLab, text],
        [labs[2] as HostLab, other],
      ] as const) {
        await closed(lab)
        sendPacket(first().client, lab.place.four, sent)
        const refused = await lastVerdict(lab)
        assert.equal(refused['code'], 'CLUSTER_UNREACHABLE', JSON.stringify(refused))
        assert.match(String(refused['detail']), /etcd has forgotten packets/)
        assert.equal(await first().ssh(lab.place.four, '10.0.0.77', 700), false)
        transcribe(`${lab.place.name}: ${refused['code']}: ${refused['detail']}; ssh is shut`)
      }
      const { stdout } = first().console('ghostport cluster check')
      assert.match(stdout, /\[CLOSED\]/)
    })
  })
}

/** As in the README, in short: the package, ssh shut, and the same stanza on all three. */
function setUpGhostport(labs: readonly HostLab[]): void {
  const [first] = labs
  assert.ok(first)
  let access = ''
  for (const lab of labs) {
    const run = (command: string): string => {
      const { status, stdout, stderr } = lab.console(command)
      assert.equal(status, 0, `${lab.place.name}# ${command}\n${stdout}${stderr}`)
      return stdout
    }
    lab.must(`scp ${debianPackage('ghostport')} ${lab.place.four}:/root/`)
    run(`cd /root && apt-get install -y ./${basename(debianPackage('ghostport'))}`)
    run("umask 077; printf 'FIREWALL_MODE gate;\\nPROTECTED_PORTS tcp/22;\\n' > /etc/fwknop/fwknopd.conf")
    if (access === '') {
      const pair = run(`ghostport keygen --pair --json --server ${lab.place.four} --name web-1 --open tcp/22`)
      const made = JSON.parse(pair) as { readonly access_conf: string; readonly fwknoprc: string }
      access = made.access_conf
      const stanzas = PLACES.map(({ name, four }) =>
        made.fwknoprc.replace(/^\[.*\]$/m, `[${name}]`).replace(/^(SPA_SERVER +).*$/m, `$1${four}`),
      )
      writeFileSync(join(lab.home, '.fwknoprc'), stanzas.join('\n'), { mode: 0o600 })
    }
    run(`umask 077; cat > /etc/fwknop/access.conf <<'END-OF-FILE'\n${access}END-OF-FILE`)
    run('systemctl enable --now ghostport')
  }
  const config = PLACES.map(
    ({ name, four }) => `Host ${name}\n  HostName ${four}\n  ProxyCommand ghostport proxy %n %p\n`,
  )
  first.must(`mkdir -p .ssh && chmod 700 .ssh && cat > .ssh/config <<'END'\n${config.join('')}END`)
}

async function must(lab: HostLab, script: string): Promise<string> {
  const lines = script.split('\n').filter((line) => line !== 'set -e')
  transcribe(
    ...lines.map((line, i) => (/^[A-Z_]+=|^END-OF-FILE/.test(line) && i > 3 ? line : `${lab.place.name}# ${line}`)),
  )
  const { status, stdout, stderr } = lab.console(script)
  assert.equal(status, 0, `${lab.place.name}# ${script}\n${stdout}${stderr}`)
  transcribe(...(stdout + stderr).trimEnd().split('\n'))
  return stdout + stderr
}

function transcribe(...lines: readonly string[]): void {
  if (TRANSCRIPT !== undefined) appendFileSync(TRANSCRIPT, `${lines.join('\n')}\n`)
}

async function usable(lab: HostLab): Promise<void> {
  await eventually(lab, 'ghostport cluster status; journalctl -u ghostport -n 20', () => {
    const { stdout } = lab.console('ghostport status --json')
    return stdout.startsWith('{') && JSON.parse(stdout).cluster?.usable === true
  })
}

/** Until etcd answers again. It has forgotten packets then. */
async function answers(lab: HostLab): Promise<void> {
  await eventually(lab, 'ghostport cluster status; journalctl -u etcd -n 20', () =>
    /etcd has forgotten packets/.test(lab.console('ghostport cluster status').stdout),
  )
}

/** Until it has no door open. */
async function closed(lab: HostLab): Promise<void> {
  await eventually(
    lab,
    'ghostport status',
    () => JSON.parse(lab.console('ghostport status --json').stdout).grants.length === 0,
  )
}

/** @param why a command that shows why it is not so. */
async function eventually(lab: HostLab, why: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    if (tries === 120) assert.fail(`${lab.place.name}: ${lab.console(why).stdout}`)
    await delay(500)
  }
}

/** A packet for ssh that was not sent. */
function packet(lab: HostLab): string {
  const made = lab.must('ghostport knock web-1 -a 10.0.0.77 --test --verbose 2>&1')
  const text = /[A-Za-z0-9+/]{140,}/.exec(made)?.[0]
  assert.ok(text, made)
  return text
}

async function lastVerdict(lab: HostLab): Promise<Readonly<Record<string, unknown>>> {
  await delay(1500)
  const { lastVerdicts } = JSON.parse(lab.console('ghostport status --json').stdout)
  return lastVerdicts[0] ?? {}
}
