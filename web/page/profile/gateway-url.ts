/** Addresses of gateways, and names of targets, as people type them. Read as `.fwknoprc` has them. */
import { formatGatewayUrl, parseGatewayTarget, parseGatewayUrls } from '../../../src/config/client/gateway-urls.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'

type Invalid = Failure<'CONFIG_INVALID_VALUE'>

/** @returns the one address, `https://knock.example`; `CONFIG_INVALID_VALUE`. */
export function parseGatewayUrl(text: string): Result<string, Invalid> {
  const read = parseGatewayUrls(text.trim())
  if (!read.ok) return read
  const [one, second] = read.value
  return one !== undefined && second === undefined
    ? ok(formatGatewayUrl(one))
    : refuse('CONFIG_INVALID_VALUE', 'one gateway in a line')
}

export function parseTarget(text: string): Result<string, Invalid> {
  return parseGatewayTarget(text.trim())
}
