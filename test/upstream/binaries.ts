/** The two programs that the suite is asked to test. Paths are as the namespaces of a batch see them (enter.sh). */
export interface Binaries {
  readonly fwknop: string
  readonly fwknopd: string
  /** Where the suite looks for libfko. */
  readonly libraries: string
}

const PEER: Binaries = {
  fwknop: '/usr/bin/fwknop',
  fwknopd: '/usr/sbin/fwknopd',
  libraries: `/usr/lib/${{ x64: 'x86_64', arm64: 'aarch64' }[process.arch as 'x64' | 'arm64']}-linux-gnu`,
}
/** There is no libfko of ours: its cases shall not pass with Debian's. */
const OURS: Binaries = { fwknop: '/mnt/bin/fwknop', fwknopd: '/mnt/bin/fwknopd', libraries: '/mnt/no-library' }

export const binaries = {
  /** Debian's fwknop, from its packages fwknop-client, fwknop-server and libfko3. */
  peer: PEER,
  /** Ours, from dist/. */
  ours: OURS,
  /** Our client with Debian's server. */
  client: { ...OURS, fwknopd: PEER.fwknopd },
  /** Our server with Debian's client. */
  server: { ...OURS, fwknop: PEER.fwknop },
} as const satisfies Readonly<Record<string, Binaries>>

export type Whose = keyof typeof binaries

export function isWhose(text: string): text is Whose {
  return Object.hasOwn(binaries, text)
}
