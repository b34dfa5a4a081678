/** What the scanner sees: nmap's report, parsed, and ndiff of two reports. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { NotAsTold, narrator } from './narrator.ts'
import type { Stage } from './stage.ts'

export interface Scan {
  /** `80/tcp open http`, one for each port that is not filtered. */
  readonly ports: readonly string[]
  readonly milliseconds: number
}

/** Runs nmap on the scanner, with service detection, and keeps its report in `file`. */
export async function scan(stage: Stage, file: string, { quietly = false } = {}): Promise<Scan> {
  const { hosts, addresses, scan, sourceOptions } = stage
  const words = ['-n', '-Pn', ...scan, '-sV', '-T4', ...sourceOptions.nmap, '-oX', file, addresses.server]
  if (!quietly) narrator.command('scanner', ['nmap', ...words].join(' '))
  const ran = await hosts.scanner.run(['nmap', ...words])
  if (ran.status !== 0) throw new NotAsTold(`nmap: ${ran.stderr}`)
  if (!quietly) narrator.answer(ran.stdout.replace(/^Starting.*\n|\nService detection performed.*|^\n/gm, ''))
  return { ports: openPorts(readFileSync(join(hosts.scanner.folder, file), 'utf8')), milliseconds: ran.milliseconds }
}

function openPorts(report: string): readonly string[] {
  const ports = report.matchAll(
    /<port protocol="(\w+)" portid="(\d+)"><state state="([^"]+)"[^>]*\/>(?:<service name="([^"]+)")?/g,
  )
  return [...ports]
    .filter(([, , , state]) => state !== 'filtered')
    .map(([, protocol, port, state, service]) => `${port}/${protocol} ${state} ${service ?? 'unknown'}`)
}

/** The lines in which two reports differ, without their headings, which have times and file names. */
export async function differences({ hosts }: Stage, before: string, after: string): Promise<readonly string[]> {
  narrator.command('scanner', `ndiff ${before} ${after}`)
  const ran = await hosts.scanner.run(['ndiff', before, after])
  if (ran.status !== 0 && ran.status !== 1) throw new NotAsTold(`ndiff: ${ran.stderr}`)
  const lines = ran.stdout.split('\n').filter((line) => line !== '' && !/^[-+]Nmap \S+ scan initiated /.test(line))
  narrator.answer(lines.join('\n'))
  if (ran.status === 1 && lines.length === 0) throw new NotAsTold(`ndiff finds a difference that it does not show`)
  return lines
}
