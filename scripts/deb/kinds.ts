/** Which Debian packages there are: their processors, their control fields, their programs. */

/** A processor: the names of Debian, of Node.js, and of the GNU tools. */
export interface Processor {
  readonly debian: 'amd64' | 'arm64'
  readonly node: 'x64' | 'arm64'
  /** What strips its binaries, and the package that has it. */
  readonly strip: { readonly program: string; readonly from: string }
}

export const processors: readonly Processor[] = [
  { debian: 'amd64', node: 'x64', strip: { program: 'x86_64-linux-gnu-strip', from: 'binutils-x86-64-linux-gnu' } },
  { debian: 'arm64', node: 'arm64', strip: { program: 'aarch64-linux-gnu-strip', from: 'binutils-aarch64-linux-gnu' } },
]

export interface Kind {
  readonly name: 'ghostport' | 'ghostport-client'
  readonly summary: string
  /** Paragraphs. */
  readonly description: readonly string[]
  /** Control fields besides those that all have. */
  readonly fields: Readonly<Record<string, string>>
  /** Path of the starter → the program below dist/cli/. */
  readonly starters: Readonly<Record<string, string>>
  readonly manPages: readonly string[]
  readonly hasServer: boolean
}

/** What the Node.js and koffi of both processors ask for: `objdump -T`. */
const NODE_NEEDS = 'libc6 (>= 2.28), libgcc-s1 (>= 4.2), libstdc++6 (>= 7)'

export const kinds: readonly Kind[] = [
  {
    name: 'ghostport',
    summary: 'Single Packet Authorization: server and client',
    description: [
      'The firewall drops everything. A passive listener waits for one encrypted and authenticated packet. When a valid packet comes, one port opens, for one address, for some seconds.',
      'The packets are those of fwknop. Old access.conf, fwknopd.conf and .fwknoprc files still work. This package has the server, the client, and the Node.js that runs both. The installation starts no service.',
    ],
    fields: {
      Depends: `${NODE_NEEDS}, libnftables1 (>= 1.0.0), systemd | systemd-standalone-sysusers | systemd-sysusers`,
      Recommends: 'nftables',
      Suggests: 'gnupg, iptables, fail2ban',
      // One file of each of these would be in the way of ours.
      Conflicts: 'fwknop-client, fwknop-server, ghostport-client',
      Replaces: 'fwknop-client, fwknop-server, ghostport-client',
      Provides: 'fwknop-client, fwknop-server, ghostport-client',
    },
    starters: {
      'usr/bin/ghostport': 'ghostport.js',
      'usr/bin/fwknop': 'fwknop.js',
      'usr/sbin/fwknopd': 'fwknopd.js',
      'usr/bin/gpgdir': 'gpgdir.js',
      'usr/bin/visitors': 'visitors.js',
    },
    manPages: ['ghostport.1', 'fwknop.8', 'fwknopd.8', 'gpgdir.1', 'visitors.1'],
    hasServer: true,
  },
  {
    name: 'ghostport-client',
    summary: 'Single Packet Authorization: client',
    description: [
      'Asks a server to open a port for you, by one encrypted and authenticated packet. Knocks and runs ssh in one command.',
      'The packets are those of fwknop, and old .fwknoprc files still work. This package has the client alone, and the Node.js that runs it. The package ghostport has client and server.',
    ],
    fields: {
      Depends: NODE_NEEDS,
      Suggests: 'gnupg, openssh-client',
      Conflicts: 'fwknop-client, ghostport',
      Replaces: 'fwknop-client, ghostport',
      Provides: 'fwknop-client',
    },
    starters: {
      'usr/bin/ghostport': 'ghostport-client.js',
      'usr/bin/fwknop': 'fwknop.js',
      'usr/bin/gpgdir': 'gpgdir.js',
      'usr/bin/visitors': 'visitors.js',
    },
    manPages: ['ghostport.1', 'fwknop.8', 'gpgdir.1', 'visitors.1'],
    hasServer: false,
  },
]
