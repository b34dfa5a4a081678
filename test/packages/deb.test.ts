/**
 * The Debian packages: the same bytes each time, nothing in them that should not be, and a life in a Debian that does
 * not run: installed, started with the Node.js of the package, renewed, removed, purged.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { clientCommands } from '../../src/cli/client-commands.ts'
import { commands } from '../../src/cli/commands.ts'
import { ChrootedDebian, chrootUnavailable } from '../support/chrooted-debian.ts'
import {
  type Architecture,
  buildDebianPackages,
  type Judgement,
  lintian,
  OWN_ARCHITECTURE,
  type PackageName,
} from '../support/debian-packages.ts'
import { readScreen } from '../support/qr-screen.ts'

const root = join(import.meta.dirname, '..', '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string }
const NAMES: readonly PackageName[] = ['ghostport', 'ghostport-client']
const HOME = 'usr/lib/ghostport'
const NEWER = '99.0'

const isMissing = (program: string) => spawnSync(program, ['--version']).error !== undefined
const tools = ['dpkg-deb', 'x86_64-linux-gnu-strip', 'aarch64-linux-gnu-strip', 'lintian'].filter(isMissing)
const skip = tools.length === 0 ? chrootUnavailable() : `not installed: ${tools.join(', ')}`

describe('the Debian packages', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-packages-'))
  const fileOf = (name: PackageName, architecture: Architecture = OWN_ARCHITECTURE, of = version) =>
    join(folder, `${name}_${of}_${architecture}.deb`)
  /** The fourth would have nothing of its own. */
  const each: readonly { readonly name: PackageName; readonly architecture: Architecture }[] = [
    { name: 'ghostport', architecture: 'amd64' },
    { name: 'ghostport', architecture: 'arm64' },
    { name: 'ghostport-client', architecture: OWN_ARCHITECTURE },
  ]

  /** It takes half a minute, beside the other tests. The client has the same Node.js: host-lab judges it. */
  let judgement: Promise<Judgement>

  before(() => {
    buildDebianPackages(folder, { packages: ['ghostport'] })
    buildDebianPackages(folder, { packages: ['ghostport-client'], architectures: [OWN_ARCHITECTURE] })
    judgement = lintian([fileOf('ghostport')])
    buildDebianPackages(folder, { packages: ['ghostport'], architectures: [OWN_ARCHITECTURE], version: NEWER })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('have the same bytes when they are built again, elsewhere and with another umask', () => {
    const again = join(folder, 'again')
    const temporary = join(folder, 'elsewhere')
    mkdirSync(temporary)
    const umask = process.umask(0o077)
    try {
      const environment = { TMPDIR: temporary, TZ: 'Asia/Tokyo', LC_ALL: 'C' }
      buildDebianPackages(again, { packages: ['ghostport'], architectures: [OWN_ARCHITECTURE], environment })
    } finally {
      process.umask(umask)
    }
    const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')
    assert.equal(hash(join(again, `ghostport_${version}_${OWN_ARCHITECTURE}.deb`)), hash(fileOf('ghostport')))
  })

  for (const { name, architecture } of each)
    describe(`${name}, ${architecture}`, () => {
      const tree = join(folder, `${name}-${architecture}`)
      const entries: Entry[] = []
      before(() => {
        const file = fileOf(name, architecture)
        execFileSync('dpkg-deb', ['-R', file, tree])
        entries.push(...listed(file))
      })
      const paths = () => entries.map(({ path }) => path)

      it('has files of root that nobody else can change, no setuid, and no configuration file of dpkg', () => {
        assert.deepEqual(
          entries.filter(
            ({ mode, owner }) => owner !== '0/0' || !/^(-rw-r--r--|-rwxr-xr-x|drwxr-xr-x|lrwxrwxrwx)$/.test(mode),
          ),
          [],
        )
        assert.ok(!paths().includes('DEBIAN/conffiles'))
        assert.throws(() => readFileSync(join(tree, 'DEBIAN/conffiles')))
        assert.deepEqual(
          entries.filter(({ path, mode }) => path.startsWith('etc/') && mode.startsWith('-')),
          [],
        )
      })

      it('has no test, no library for other programs, and no dependency that no program loads', () => {
        const strays = paths().filter((path) => /\.test\.|\.map$|\.d\.ts$|noble|musl|esbuild|typescript/.test(path))
        assert.deepEqual(strays, [])
      })

      it('has each program that another one starts', () => {
        const daemons = paths().flatMap((path) => /dist\/daemon\/(.+)/.exec(path)?.[1] ?? [])
        const all = ['cluster.js', 'errand.js', 'executor.js', 'gnupg.js', 'prober.js', 'receiver.js', 'sender.js']
        assert.deepEqual(daemons.sort(), name === 'ghostport' ? all : [])
      })

      it('has no program that “env node” would start', () => {
        const first = (path: string) => readFileSync(join(tree, path)).subarray(0, 40).toString('latin1').split('\n')[0]
        const files = entries.filter(({ mode }) => mode.startsWith('-')).map(({ path }) => path)
        assert.deepEqual(
          files.filter((path) => /^#!/.test(first(path) ?? '') && first(path) !== '#!/bin/sh'),
          [],
        )
        const executable = entries.filter(({ mode }) => /^-.*x/.test(mode)).map(({ path }) => path)
        const starters =
          name === 'ghostport'
            ? ['usr/bin/fwknop', 'usr/bin/ghostport', 'usr/bin/gpgdir', 'usr/bin/visitors', 'usr/sbin/fwknopd']
            : ['usr/bin/fwknop', 'usr/bin/ghostport', 'usr/bin/gpgdir', 'usr/bin/visitors']
        assert.deepEqual(executable.sort(), [...starters, `${HOME}/node`].sort())
      })

      it('has a Node.js and a koffi for its processor, stripped', () => {
        const native = architecture === 'amd64' ? 'x64' : 'arm64'
        const koffi = `${HOME}/node_modules/@koromix/koffi-linux-${native}/linux_${native}/koffi.node`
        for (const path of [`${HOME}/node`, koffi]) {
          assert.equal(machineOf(join(tree, path)), architecture === 'amd64' ? EM_X86_64 : EM_AARCH64, path)
          const sections = execFileSync('readelf', ['-SW', join(tree, path)], { encoding: 'utf8' })
          assert.doesNotMatch(sections, /\.symtab|\.debug/, path)
        }
      })

      it('has the licences of what it brings, whole', () => {
        const papers = readFileSync(join(tree, `usr/share/doc/${name}/copyright`), 'utf8')
        const plain = papers.replaceAll(/^ \.?/gm, '')
        for (const line of [
          'Node.js is licensed for use as follows',
          'The externally maintained libraries used by Node.js are',
          '- OpenSSL, located at deps/openssl',
          'Niels Martignène',
          'Permission is hereby granted',
        ])
          assert.ok(plain.includes(line), line)
        assert.ok(papers.length > 150_000)
      })

      it('has the man pages and completions of its own programs, compressed without a time', () => {
        const programs = [
          ...(name === 'ghostport' ? ['ghostport.1', 'fwknop.8', 'fwknopd.8'] : ['ghostport.1', 'fwknop.8']),
          'gpgdir.1',
          'visitors.1',
        ]
        const pages = paths().filter((path) => path.startsWith('usr/share/man/') && path.endsWith('.gz'))
        assert.deepEqual(
          pages.map((path) => path.split('/').at(-1)).sort(),
          programs.map((page) => `${page}.gz`).sort(),
        )
        // No flags (so no name) and no time: RFC 1952.
        for (const page of paths().filter((path) => path.endsWith('.gz')))
          assert.deepEqual([...readFileSync(join(tree, page)).subarray(3, 8)], [0, 0, 0, 0, 0], page)
        for (const program of programs.map((page) => page.replace(/\.\d$/, '')))
          for (const path of [
            `bash-completion/completions/${program}`,
            `zsh/vendor-completions/_${program}`,
            `fish/vendor_completions.d/${program}.fish`,
          ])
            assert.ok(paths().includes(`usr/share/${path}`), path)
      })
    })

  it('have the field that lets each replace the other, and fwknop', () => {
    const field = (name: PackageName, which: string) =>
      execFileSync('dpkg-deb', ['-f', fileOf(name), which], { encoding: 'utf8' }).trim()
    for (const which of ['Conflicts', 'Replaces']) {
      assert.equal(field('ghostport', which), 'fwknop-client, fwknop-server, ghostport-client')
      assert.equal(field('ghostport-client', which), 'fwknop-client, ghostport')
    }
    assert.doesNotMatch(field('ghostport-client', 'Depends'), /nftables|systemd/)
  })

  it('have a profile that AppArmor’s own parser takes', () => {
    const profile = join(root, 'packaging/apparmor/ghostport')
    const { status, stderr } = spawnSync('apparmor_parser', ['-Q', '-K', profile], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  })

  describe('in a Debian that does not run', () => {
    let debian: ChrootedDebian
    const installed = new Map<string, string>()

    before(async () => {
      debian = await ChrootedDebian.open('bookworm')
      for (const file of [...NAMES.map((name) => fileOf(name)), fileOf('ghostport', OWN_ARCHITECTURE, NEWER)])
        installed.set(file, debian.give(file))
    })
    after(() => debian?.close())
    const inside = (file: string) => installed.get(file) ?? assert.fail(file)

    it('the client is installed alone: its commands work, and those of the server are told apart', () => {
      debian.must(`dpkg -i ${inside(fileOf('ghostport-client'))}`)
      for (const command of Object.keys(clientCommands)) debian.must(`ghostport ${command} --help`)
      assert.match(debian.must('ghostport completions bash'), /complete -F/)
      assert.match(debian.must('fwknop --help'), /--named-config/)
      const overview = debian.run('ghostport').stderr
      for (const command of Object.keys(commands).filter((name) => !Object.hasOwn(clientCommands, name))) {
        const { status, stderr } = debian.run(`ghostport ${command}`)
        assert.equal(status, 64, command)
        assert.match(stderr, /is part of the server: the package ghostport has it/)
        assert.doesNotMatch(overview, new RegExp(`^  ${command} `, 'm'))
      }
      assert.notEqual(debian.run('test -e /usr/lib/systemd/system/ghostport.service').status, 0)
    })

    it('the server takes its place, says one next command, and starts nothing', () => {
      const said = debian.must(`apt-get install -y --no-install-recommends ${inside(fileOf('ghostport'))}`)
      assert.match(said, /Removing ghostport-client/)
      assert.match(said, /Nothing runs yet, and no port is closed\. Next: ghostport init$/m)
      assert.match(
        debian.must('getent passwd ghostport'),
        /^ghostport:x:\d+:\d+:.*:\/nonexistent:\/usr\/sbin\/nologin$/m,
      )
      assert.equal(debian.must('find /etc/systemd -name "*ghostport*"'), '')
      assert.equal(debian.must('find /etc/fwknop'), '/etc/fwknop\n')
      assert.equal(debian.must('dpkg --verify ghostport'), '')
    })

    it('runs with its own Node.js, whatever the variables of Node.js and OpenSSL say', () => {
      // A “node” of somebody else, and variables that would run a file or open an inspector.
      debian.must("printf '#!/bin/sh\\necho wrong node\\n' > /usr/local/bin/node && chmod 755 /usr/local/bin/node")
      debian.must('echo \'process.stdout.write("wrong code\\n")\' > /tmp/wrong.cjs')
      const wrong = {
        NODE_OPTIONS: '--require /tmp/wrong.cjs --inspect',
        NODE_PATH: '/tmp',
        NODE_V8_COVERAGE: '/tmp/coverage',
        OPENSSL_CONF: '/tmp/none',
      }
      assert.equal(debian.must('ghostport version', wrong), `ghostport ${version}, SPA protocol 3.0.0 (fwknop's)\n`)
      assert.match(debian.must('fwknop --version', wrong), /^fwknop/)
      assert.match(debian.must('fwknopd --version', wrong), /^fwknopd/)
      assert.notEqual(debian.run('test -e /tmp/coverage').status, 0)
      debian.must('rm /usr/local/bin/node')
    })

    it('has the unit that “ghostport unit” prints, and that systemd takes', () => {
      const unit = '/usr/lib/systemd/system/ghostport.service'
      debian.must('mkdir /tmp/units && ghostport unit --all /tmp/units')
      assert.equal(debian.must(`diff /tmp/units/ghostport.service ${unit}`), '')
      for (const [name, flag] of [
        ['ghostport-receiver@.service', '--receiver'],
        ['ghostport-receiver.socket', '--receiver-socket'],
        ['ghostport-helper@.service', '--helper'],
        ['ghostport-helper.socket', '--helper-socket'],
      ])
        assert.equal(debian.must(`ghostport unit ${flag} | diff - /usr/lib/systemd/system/${name}`), '')
      assert.equal(
        debian.must(
          `systemd-analyze verify ${unit} ${unit.replace('.service', '-receiver.socket')} ${unit.replace('.service', '-helper.socket')}`,
        ),
        '',
      )
      assert.match(
        debian.must(`cat ${unit}`),
        /^ExecStart=\/usr\/lib\/ghostport\/node --jitless \/usr\/lib\/ghostport\/dist\/cli\/ghostport\.js serve /m,
      )
      assert.match(debian.must('ghostport completions fish'), /^complete -c ghostport/m)
      debian.must('test -e /usr/lib/ghostport/docs/OPERATING.md')
    })

    it('loads koffi and libnftables', () => {
      debian.must('umask 077; cp /usr/share/ghostport/fwknopd.conf /etc/fwknop/')
      debian.must('ghostport keygen --pair --name ada --server 192.0.2.10 -K /etc/fwknop/access.conf')
      assert.match(debian.must('ghostport serve --exit-parse-config'), /^The configuration is good: 1 stanza\.$/m)
    })

    it('shows a QR code, and has the licence of the package that makes it', () => {
      const shown = debian.must('ghostport user add bob --server 192.0.2.10 --show-secrets --qr profile')
      const [, line = ''] = /^(ghostport:\/\/\S+)$/m.exec(shown) ?? []
      assert.equal(readScreen(shown.split('\n')), line)
      debian.must('ghostport user remove bob')
      const copyright = readFileSync(join(folder, `ghostport-${OWN_ARCHITECTURE}`, 'usr/share/doc/ghostport/copyright'))
      assert.match(
        copyright.toString(),
        /^Files: usr\/lib\/ghostport\/node_modules\/qr\/\*\nCopyright: 2023 Paul Miller/m,
      )
    })

    it('is renewed without a word where no server runs, and forgets the compiled code of before', () => {
      debian.must('mkdir -p /var/cache/ghostport/old')
      const said = debian.must(`dpkg -i ${inside(fileOf('ghostport', OWN_ARCHITECTURE, NEWER))}`)
      assert.doesNotMatch(said, /ghostport: /)
      assert.match(debian.must('ghostport version'), /^ghostport 99\.0/)
      assert.notEqual(debian.run('test -e /var/cache/ghostport/old').status, 0)
      // The scripts bear to run again.
      debian.must('dpkg-reconfigure ghostport || /var/lib/dpkg/info/ghostport.postinst configure 99.0')
      debian.must('/var/lib/dpkg/info/ghostport.postinst configure 99.0')
    })

    it('leaves at its removal what the administrator has', () => {
      debian.must('mkdir -p /var/lib/ghostport && touch /var/lib/ghostport/replay.db')
      debian.must('dpkg -r ghostport')
      assert.notEqual(debian.run('test -e /usr/lib/ghostport').status, 0)
      debian.must('test -e /etc/fwknop/access.conf && test -e /var/lib/ghostport/replay.db')
    })

    it('removes at a purge its state and the files of its own list, if they are unchanged', () => {
      debian.must(
        [
          'echo ours > /etc/fwknop/ours && echo changed > /etc/fwknop/changed && echo precious > /etc/precious',
          'ln -s /etc/precious /etc/fwknop/link',
          'cd /etc && mkdir -p ghostport systemd/system/nftables.service.d && touch ghostport/policy.nft systemd/system/ghostport-policy.service systemd/system/nftables.service.d/ghostport-policy.conf',
          'cd / && sha256sum $(find /etc/ghostport /etc/systemd/system -name "*policy*") > /var/lib/ghostport/installed-files',
          'sha256sum /etc/fwknop/ours /etc/fwknop/changed /etc/precious /etc/fwknop/link >> /var/lib/ghostport/installed-files',
          'echo "$(sha256sum < /etc/precious | cut -d" " -f1)  /etc/fwknop/../precious" >> /var/lib/ghostport/installed-files',
          'echo more >> /etc/fwknop/changed',
        ].join(' && '),
      )
      const said = debian.must('dpkg -P ghostport')
      assert.match(said, /\/etc\/fwknop\/changed was changed after ghostport wrote it: it stays/)
      assert.match(said, /\/etc\/fwknop stays/)
      assert.equal(debian.must('ls /etc/fwknop'), 'access.conf\nchanged\nfwknopd.conf\nlink\n')
      assert.equal(debian.must('cat /etc/precious'), 'precious\n')
      const systemd = '/etc/systemd/system'
      for (const gone of [
        ...['/var/lib/ghostport', '/var/cache/ghostport', '/run/ghostport', '/etc/ghostport'],
        ...[`${systemd}/ghostport-policy.service`, `${systemd}/nftables.service.d`],
      ])
        assert.notEqual(debian.run(`test -e ${gone}`).status, 0, gone)
      // The scripts bear to run again, also where nothing is left.
      assert.equal(debian.run('dpkg -s ghostport').status, 1)
    })

    it('warns of what keeps it from being used', () => {
      debian.must('mkdir -p /etc/apparmor.d && touch /usr/local/bin/ghostport /etc/apparmor.d/usr.sbin.fwknopd')
      debian.must('echo "ExecStart=/usr/bin/node x" > /etc/systemd/system/ghostport.service')
      const said = debian.must(`dpkg -i ${inside(fileOf('ghostport'))}`)
      assert.match(said, /\/usr\/local\/bin\/ghostport comes before \/usr\/bin\/ghostport/)
      assert.match(said, /usr\.sbin\.fwknopd was written for the fwknopd of fwknop/)
      assert.match(said, /ghostport\.service is used in place of the unit of this package/)
      debian.must('rm /usr/local/bin/ghostport /etc/apparmor.d/usr.sbin.fwknopd /etc/systemd/system/ghostport.service')
      debian.must('dpkg -P ghostport')
    })

    it('keeps at a purge the only copies of files that init changed', () => {
      debian.must(`dpkg -i ${inside(fileOf('ghostport'))}`)
      debian.must('mkdir -p /var/lib/ghostport/way-back/copies && touch /var/lib/ghostport/replay.db')
      debian.must('echo before > /var/lib/ghostport/way-back/copies/1')
      assert.match(debian.must('dpkg -P ghostport'), /way-back stays: it has files of this host as they were/)
      assert.equal(debian.must('find /var/lib/ghostport -type f'), '/var/lib/ghostport/way-back/copies/1\n')
      debian.must('rm -r /var/lib/ghostport')
    })

    it('tells of a set-up of fwknop, and leaves nothing at a purge where there was nothing', () => {
      const said = debian.must(`dpkg -i ${inside(fileOf('ghostport'))}`)
      assert.match(said, /There is a set-up in \/etc\/fwknop already\. It stays as it is\..*Next: ghostport import/)
      debian.must('rm -r /etc/fwknop/*')
      assert.doesNotMatch(debian.must('dpkg -P ghostport'), /ghostport: /)
      assert.notEqual(debian.run('test -e /etc/fwknop').status, 0)
    })
  })

  it('are found in order by lintian, but for what their override files give reasons for', async () => {
    const { status, output } = await judgement
    assert.equal(status, 0, output)
    assert.doesNotMatch(output, /unused-override|mismatched-override|malformed-override/)
  })
})

interface Entry {
  readonly mode: string
  readonly owner: string
  readonly path: string
}

function listed(file: string): readonly Entry[] {
  const tar = execFileSync('dpkg-deb', ['--fsys-tarfile', file], { maxBuffer: 512 << 20 })
  const text = execFileSync('tar', ['-tv', '--numeric-owner', '--full-time'], { input: tar, encoding: 'utf8' })
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [mode = '', owner = '', , , , path = ''] = line.split(/\s+/)
      return { mode, owner, path: path.replace(/^\.\//, '').replace(/\/$/, '') }
    })
}

/** `e_machine` of an ELF file: elf(5). */
const EM_X86_64 = 62
const EM_AARCH64 = 183

function machineOf(file: string): number {
  return readFileSync(file).readUInt16LE(18)
}
