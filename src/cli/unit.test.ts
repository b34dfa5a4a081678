import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { suited, withCompiler, withOwnProcesses, withoutLimits } from './server/command-unit.ts'
import { fillUnit, HELPER_UNIT, RECEIVER_UNIT, standardPaths, type UnitPaths, unitWarnings } from './unit.ts'

const template = readFileSync(new URL('../../packaging/ghostport.service', import.meta.url), 'utf8')
const local: UnitPaths = {
  node: '/usr/local/bin/node',
  nodeOptions: ['--max-old-space-size=64'],
  home: '/usr/local/lib/node_modules/ghostport',
  entry: 'dist/cli/ghostport.js',
  settings: '/srv/doors/server.conf',
  stanzas: '/srv/doors/stanzas.conf',
}

describe('the unit', () => {
  it('of packaging/ is what is printed for the standard paths', () => {
    assert.deepEqual(fillUnit(template, standardPaths), { ok: true, value: template })
  })

  it('names other paths wherever the template names the standard ones', () => {
    const filled = fillUnit(template, local)
    assert.ok(filled.ok)
    for (const standard of ['/usr/bin/node', '/usr/lib/node_modules', standardPaths.settings, standardPaths.stanzas])
      assert.ok(!filled.value.includes(standard), standard)
    const server = `${local.node} --max-old-space-size=64 --jitless ${local.home}/dist/cli/ghostport.js serve`
    const files = '-c /srv/doors/server.conf -a /srv/doors/stanzas.conf'
    assert.ok(
      filled.value.includes(
        `\nExecStart=${server} --receiver-socket /run/ghostport-receiver.sock --helper-socket /run/ghostport-helper.sock ${files}\n`,
      ),
      filled.value,
    )
    assert.ok(
      filled.value.includes(
        `\nExecReload=${server} --exit-parse-config --receiver-socket /run/ghostport-receiver.sock ${files}\n`,
      ),
      filled.value,
    )
    assert.ok(filled.value.includes(`\nDocumentation=file://${local.home}/docs/OPERATING.md\n`), filled.value)
  })

  it('of the receiver runs the receiver with the same node, and with its own options', () => {
    const text = readFileSync(new URL(`../../packaging/${RECEIVER_UNIT}`, import.meta.url), 'utf8')
    assert.deepEqual(fillUnit(text, standardPaths), { ok: true, value: text })
    const filled = fillUnit(text, local)
    assert.ok(filled.ok)
    const options = '--max-old-space-size=64 --disable-sigusr1 --max-semi-space-size=1 --max-old-space-size=256'
    assert.ok(
      filled.value.includes(
        `\nExecStart=${local.node} ${options} ${local.home}/dist/daemon/receiver.js --from-socket\n`,
      ),
      filled.value,
    )
    assert.ok(!filled.value.includes('/usr/lib/node_modules'))
  })

  it('of the helpers runs each program with the same node, and without its compiler', () => {
    const text = readFileSync(new URL(`../../packaging/${HELPER_UNIT}`, import.meta.url), 'utf8')
    assert.deepEqual(fillUnit(text, standardPaths), { ok: true, value: text })
    const filled = fillUnit(text, { ...local, nodeOptions: ['--jitless', '--no-warnings'] })
    assert.ok(filled.ok)
    for (const [program, memory] of [
      ['gnupg', 128],
      ['sender', 64],
      ['cluster', 96],
    ])
      assert.ok(
        filled.value.includes(
          ` exec ${local.node} --no-warnings --jitless --disable-sigusr1 --max-semi-space-size=1 ` +
            `--max-old-space-size=${memory} ${local.home}/dist/daemon/${program}.js --from-socket 3<&0 </dev/null >/dev/null ;;`,
        ),
        filled.value,
      )
    assert.ok(!filled.value.includes('/usr/lib/node_modules'))
  })

  const systemd = spawnSync('systemd-analyze', ['--version']).status === 0
  it('is one that systemd takes, word for word', { skip: !systemd && 'there is no systemd-analyze' }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-unit-'))
    const file = join(folder, 'ghostport.service')
    const filled = fillUnit(template, { ...local, node: process.execPath })
    assert.ok(filled.ok)
    writeFileSync(file, filled.value)
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    assert.equal(status, 0, stderr)
    assert.doesNotMatch(stderr, /ghostport/)
  })

  it('goes on where the kernel ends a receiver for want of memory, and has room for all threads of both processes', () => {
    assert.match(template, /^OOMPolicy=continue$/m)
    const most = Number(/^TasksMax=([0-9]+)$/m.exec(template)?.[1])
    // As many as this process has, which also runs Node: warden, receiver, and the check before a reload. Twice that is
    // room for another Node.js.
    assert.ok(2 * 3 * readdirSync('/proc/self/task').length < most)
  })

  it('printed alone leaves the compiler to the receiver that the server starts', () => {
    assert.match(template, /^MemoryDenyWriteExecute=yes$/m)
    const alone = withOwnProcesses(template)
    assert.doesNotMatch(alone, /jitless|MemoryDenyWriteExecute/)
    // With no socket to ask, it changes users by itself.
    assert.match(alone, /^CapabilityBoundingSet=.* CAP_KILL CAP_SETUID CAP_SETGID CAP_SETPCAP$/m)
    assert.doesNotMatch(template, /CAP_SET/)
    assert.equal(alone.match(/^Exec(Start|Reload)=\/usr\/bin\/node \/usr\/lib/gm)?.length, 2)
  })

  it('is without the switch for the relay, and for a server with commands', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-unit-'))
    const [server, access] = [join(folder, 'fwknopd.conf'), join(folder, 'access.conf')]
    const stanza = 'SOURCE ANY\nKEY a key for tests\nHMAC_KEY another key\nOPEN_PORTS tcp/22\n'
    const unitWith = (settings: string, more = ''): string => {
      writeFileSync(server, settings, { mode: 0o600 })
      writeFileSync(access, stanza + more, { mode: 0o600 })
      return suited(template, server, access)
    }
    assert.equal(unitWith(''), template)
    assert.equal(unitWith('FIREWALL relay;\nRELAY 8080 decoy=reset;\n'), withCompiler(template))
    const hooks = 'HOOK_GRANT /usr/local/bin/tell;\n'
    const changesUsers = (unit: string): boolean => /^CapabilityBoundingSet=.* CAP_SETUID CAP_SETGID$/m.test(unit)
    assert.ok(
      changesUsers(unitWith(hooks)) && changesUsers(unitWith(`${hooks}FIREWALL relay;\nRELAY 8080 decoy=reset;\n`)),
    )
    assert.equal(unitWith('WEBHOOK_URL https://a.example/;\nWEBHOOK_KEY_FILE /etc/fwknop/webhook.key;\n'), template)
    assert.equal(unitWith('', 'ENABLE_CMD_EXEC Y\nCMD_REGEX ^x$\n'), withoutLimits(template))
    assert.equal(suited(template, join(folder, 'none'), access), template)
    rmSync(folder, { recursive: true })
  })

  it('of a server that runs commands has no limit of what they may do, and all else', () => {
    const unit = withoutLimits(template)
    assert.doesNotMatch(
      unit,
      /^(NoNewPrivileges|MemoryDeny|UMask|Capability|Protect|Private|Restrict[^P=]|SystemCall)/m,
    )
    for (const kept of [
      'Type=notify',
      'KillMode=mixed',
      'StateDirectory=ghostport',
      'RestartPreventExitStatus=64 77 78',
    ])
      assert.ok(unit.includes(`\n${kept}\n`), kept)
    assert.match(unit, /^# This server runs commands/m)
    assert.doesNotMatch(unit, /The warden needs these/)
  })

  const unusable: readonly (readonly [string, Partial<UnitPaths>])[] = [
    ['a space', { node: '/opt/my node/node' }],
    ['a specifier of systemd', { home: '/opt/100%n' }],
    ['a variable', { settings: '/etc/$HOME/fwknopd.conf' }],
    ['a line feed', { stanzas: '/etc/a\nExecStartPre=/bin/true' }],
    ['no absolute path', { settings: 'fwknopd.conf' }],
    ['an option with a quote', { nodeOptions: ['--title="x"'] }],
  ]
  for (const [what, paths] of unusable)
    it(`is not made with ${what}`, () => {
      const filled = fillUnit(template, { ...local, ...paths })
      assert.ok(!filled.ok)
      assert.equal(filled.failure.code, 'VALUE_INVALID')
    })
})

describe('ghostport unit warns', () => {
  const folder = mkdtempSync('/tmp/ghostport-unit-')
  after(() => rmSync(folder, { recursive: true, force: true }))
  const exposed = join(folder, 'exposed')
  mkdirSync(exposed)
  chmodSync(exposed, 0o777)
  const node = join(exposed, 'node')
  writeFileSync(node, '')

  const cases: readonly (readonly [what: string, paths: Partial<UnitPaths>, says: RegExp])[] = [
    [
      'of a Node.js that nvm installed',
      { node: '/root/.nvm/versions/node/v24.1.0/bin/node' },
      /ProtectHome=yes.*\/usr\/local\/bin/,
    ],
    ['of a checkout below /home', { home: '/home/ada/ghostport' }, /ProtectHome=yes.*npm install -g/],
    ['of settings below /root', { settings: '/root/fwknopd.conf' }, /ProtectHome=yes.*\/etc\/fwknop/],
    ['of a Node.js below /tmp', { node: '/tmp/node' }, /PrivateTmp=yes/],
    [
      'of a Node.js that others can replace',
      { node },
      /as root, but others can replace what is in the folder .*exposed/,
    ],
  ]
  for (const [what, paths, says] of cases)
    it(what, () => {
      assert.match(unitWarnings({ ...standardPaths, ...paths }).join('\n'), says)
    })

  it('of nothing where all is as it should be', () => {
    assert.deepEqual(unitWarnings(standardPaths), [])
    // Below /rooted, not below /root.
    assert.deepEqual(unitWarnings({ ...standardPaths, node: '/rooted/bin/node', home: '/homestead/x' }), [])
  })
})
