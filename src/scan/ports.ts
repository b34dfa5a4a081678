/** Which TCP ports a scan asks. Pure. */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { parseRanges } from './nmap-result.ts'

/** Services that people often forget: remote access, mail, web, files, databases, and what listens for their tools. */
export const USUAL_PORTS: readonly number[] = [
  ...[21, 22, 23, 25, 53, 80, 88, 110, 111, 113, 135, 139, 143, 389, 443, 445, 465, 515, 548, 554, 587, 631, 636, 873],
  ...[993, 995, 1080, 1194, 1433, 1521, 1723, 1883, 2049, 2222, 2375, 2376, 3000, 3128, 3306, 3389, 4443, 5000, 5060],
  ...[5222, 5432, 5672, 5900, 5984, 6000, 6379, 6443, 8000, 8006, 8080, 8081, 8443, 8888, 9000, 9090, 9100, 9200, 9418],
  ...[10000, 10250, 11211, 15672, 25565, 27017, 32400, 51413],
]

/** `22,80,8000-8100`; `-` or `1-65535`: all. @returns them in order, each once. */
export function parsePortList(text: string): Result<readonly number[], Failure<'VALUE_INVALID'>> {
  const ranges = parseRanges(text === '-' ? '1-65535' : text)
  if (ranges === undefined || ranges.length === 0 || ranges.some(([first]) => first < 1))
    return refuse('VALUE_INVALID', `“${text}” is no list of ports from 1 to 65535, such as 22,80,8000-8100`)
  return ok(inOrder(ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, n) => first + n))))
}

export function inOrder(ports: Iterable<number>): readonly number[] {
  return [...new Set(ports)].sort((one, other) => one - other)
}
