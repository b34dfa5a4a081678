/** A scan by nmap(1), where it is installed: it asks the services what they are. Takes no privilege. */
import { spawn } from 'node:child_process'
import { type AddressFamily, familyOf, type IpAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { LONGEST_SCAN, parseScan, type ScanResult, type ScanRun } from './nmap-result.ts'
import { rangesOf } from './own-scan.ts'
import { showRanges } from './port-table.ts'

export interface NmapScan {
  readonly addresses: readonly IpAddress[]
  readonly ports: readonly number[]
  readonly from: ReadonlyMap<AddressFamily, IpAddress>
  /** Packets in a second. */
  readonly rate: number
}

/** One run for each address. @returns SCAN_FAILED where nmap is not there or fails; SCAN_INVALID for its result. */
export async function nmapScan(scan: NmapScan): Promise<Result<ScanRun, Failure<'SCAN_FAILED' | 'SCAN_INVALID'>>> {
  const hosts: ScanResult[] = []
  let last: ScanRun | undefined
  for (const address of scan.addresses) {
    const family = familyOf(address)
    const words = [...wordsFor(scan), ...sourceWords(scan, family), ...(family === 6 ? ['-6'] : [])]
    const output = await run([...words, '-oX', '-', address])
    if (!output.ok) return output
    const parsed = parseScan(output.value)
    if (!parsed.ok) return refuse('SCAN_INVALID', `the result of nmap for ${address}: ${parsed.failure.detail}`)
    last = parsed.value
    hosts.push(...last.hosts)
  }
  const sources = ([4, 6] as const).flatMap((family) => sourceWords(scan, family))
  const commandLine = ['nmap', ...wordsFor(scan), ...sources].join(' ')
  return ok({ ...{ scanner: 'nmap', asked: new Map() }, ...last, commandLine, hosts })
}

/** `-Pn`: a host that answers no ping is scanned all the same. `-n`: no names are looked up. */
function wordsFor({ ports, rate }: NmapScan): readonly string[] {
  const asked = ['-p', showRanges(rangesOf(ports)), '--max-rate', String(rate)]
  return ['-n', '-Pn', '--unprivileged', '-sT', '-sV', ...asked]
}

function sourceWords({ from }: NmapScan, family: AddressFamily): readonly string[] {
  const source = from.get(family)
  return source === undefined ? [] : ['-S', source]
}

function run(words: readonly string[]): Promise<Result<string, Failure<'SCAN_FAILED'>>> {
  return new Promise((resolve) => {
    const child = spawn('nmap', words, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } })
    const pieces: Buffer[] = []
    let length = 0
    let complaint = ''
    child.stdout.on('data', (piece: Buffer) => {
      length += piece.length
      if (length > LONGEST_SCAN) child.kill()
      else pieces.push(piece)
    })
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      complaint = `${complaint}${piece}`.slice(-500)
    })
    child.once('error', (error) => {
      const why = errorCode(error) === 'ENOENT' ? 'there is no such program in PATH' : systemReason(error)
      resolve(refuse('SCAN_FAILED', `nmap cannot be started: ${why}. Without --nmap, ghostport scans by itself`))
    })
    child.once('close', (status, signal) => {
      if (status === 0) resolve(ok(Buffer.concat(pieces).toString('utf8')))
      else resolve(refuse('SCAN_FAILED', `nmap ended with ${status ?? signal}: ${complaint.trim()}`))
    })
  })
}
