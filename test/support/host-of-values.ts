/** A host for the parsers of `src/host/`: files, links and answers of programs as values. All else is not there. */
import { type Known, known, notKnown } from '../../src/host/known.ts'
import type { FileFacts, InterfaceAddress, Looker, QuestionName, Said, Space } from '../../src/host/looker.ts'
import { UNITS, type UnitName } from '../../src/host/looker.ts'
import type { IpAddress } from '../../src/packet/address.ts'

export interface HostValues {
  readonly files?: Readonly<Record<string, string | Known<never>>>
  readonly links?: Readonly<Record<string, string>>
  readonly stats?: Readonly<Record<string, FileFacts>>
  /** Absent: the program is not installed. A text is the output of a program that succeeded. */
  readonly said?: Partial<Readonly<Record<QuestionName, string | Said>>>
  readonly addresses?: readonly InterfaceAddress[]
  readonly netfilter?: readonly Uint8Array[]
  /** Interface → number. */
  readonly tcxPrograms?: Readonly<Record<string, number>>
  readonly netfilterPrograms?: ReturnType<Looker['netfilterPrograms']>
  readonly clock?: ReturnType<Looker['clock']>
  readonly control?: unknown
  readonly space?: Space
  /** Name → addresses. */
  readonly names?: Readonly<Record<string, Known<readonly IpAddress[] | undefined>>>
  /** Where packets come from. */
  readonly source?: IpAddress
  /** What a service says. */
  readonly line?: string
  readonly pid?: number
  readonly uid?: number
  readonly environment?: Readonly<Record<string, string>>
}

export function hostOf(values: HostValues): Looker {
  const { files = {}, links = {}, stats = {}, said = {} } = values
  const paths = [...Object.keys(files), ...Object.keys(links), ...Object.keys(stats)]
  return {
    read(path) {
      const found = files[path]
      return typeof found === 'object' ? found : known(found)
    },
    list(folder) {
      const names = paths.flatMap((path) =>
        path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1).split('/')[0] ?? ''] : [],
      )
      return known(names.length === 0 ? undefined : [...new Set(names)])
    },
    link: (path) => known(links[path]),
    realPath: (path) => known(links[path] ?? (paths.includes(path) ? path : undefined)),
    stat(path) {
      const file = files[path] === undefined ? undefined : ({ kind: 'file', owner: 0, mode: 0o600 } as const)
      return known(stats[path] ?? file)
    },
    async ask(question) {
      const answer = said[question]
      if (answer === undefined) return notKnown(`${question}: not installed`)
      return known(typeof answer === 'string' ? { status: 0, output: answer, complaint: '' } : answer)
    },
    addresses: () => known(values.addresses ?? []),
    netfilter: async () => (values.netfilter === undefined ? notKnown('no netfilter') : known(values.netfilter)),
    netfilterPrograms: () => values.netfilterPrograms ?? known([]),
    tcxPrograms: (name) => known(values.tcxPrograms?.[name] ?? 0),
    frameArrives: () => notKnown('no interface'),
    sendToSelf: async () => notKnown('no socket'),
    resolve: async (name) => values.names?.[name] ?? known(undefined),
    sourceTowards: async () => (values.source === undefined ? notKnown('no route') : known(values.source)),
    readLine: async () => (values.line === undefined ? notKnown('nobody listens') : known(values.line)),
    clock: () => values.clock ?? notKnown('no clock'),
    control: async () => known(values.control),
    space: () => known(values.space),
    pid: values.pid ?? 100,
    uid: values.uid ?? 0,
    environment: values.environment ?? {},
  }
}

/** What `systemctl show` prints for all units that are asked about. @param units those that exist: their properties. */
export function unitsText(units: Partial<Readonly<Record<UnitName, Readonly<Record<string, string>>>>>): string {
  return UNITS.map((unit) => {
    const given = units[unit]
    const properties = given === undefined ? { LoadState: 'not-found', ActiveState: 'inactive' } : given
    return Object.entries({ Id: unit, ...(given && { LoadState: 'loaded' }), ...properties })
      .flatMap(([name, value]) => value.split('|').map((each) => `${name}=${each}\n`))
      .join('')
  }).join('\n')
}
