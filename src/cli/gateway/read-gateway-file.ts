/** Reads `gateway.conf`. It holds no secret: all may read it. */
import { type ParsedGatewayConfig, parseGatewayConf } from '../../config/gateway/parse-gateway-conf.ts'
import type { Failure, Result } from '../../result.ts'
import { readUserFile, refuseMissing } from '../../system/user-file.ts'

export function readGatewayFile(file: string): Result<ParsedGatewayConfig, Failure> {
  const read = readUserFile(file)
  if (!read.ok) return read
  return read.value === undefined ? refuseMissing(file) : parseGatewayConf(file, read.value.text)
}
