/** A relay by itself, for tests that measure its memory: `relay-process.ts PUBLIC_PORT DECOY_PORT`. Prints `ready`. */
import { createRelayFirewall } from '../../src/firewall/relay/relay.ts'
import type { IpAddress } from '../../src/packet/address.ts'
import { port } from '../../src/units.ts'

const [at, decoy] = process.argv.slice(2).map(Number)
const host = '127.0.0.1' as IpAddress
const relay = createRelayFirewall({ listeners: [{ port: port(at ?? 0), decoy: { host, port: port(decoy ?? 0) } }] })
const installed = await relay.install()
process.stdout.write(installed.ok ? 'ready\n' : `${installed.failure.detail}\n`)
