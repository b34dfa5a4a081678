/**
 * A ghostport with a firewall only, to be killed: installs, opens one grant, reports when it began, and stays.
 * `LIFETIME SOURCE PORT`.
 */
import { createNftablesFirewall } from '../../src/firewall/nftables/nftables.ts'
import { parseAddress } from '../../src/packet/address.ts'
import { parsePort } from '../../src/units.ts'
import { grantFor } from '../contract/firewall.ts'

const [lifetime = '', from = '', to = ''] = process.argv.slice(2)
const [source, port] = [parseAddress(from), parsePort(to)]
const made = createNftablesFirewall({ mode: { kind: 'mark' } })
if (!source.ok || !port.ok || !made.ok) throw new Error('usage: LIFETIME SOURCE PORT, as root')
await made.value.install()
const grant = grantFor(source.value, [{ kind: 'access', protocol: 'tcp', port: port.value }], Number(lifetime))
const asked = Date.now()
const [opened] = await made.value.open([grant])
made.value.watch({ onMended: () => {} })
process.stdout.write(opened?.ok ? `open ${asked}\n` : `${JSON.stringify(opened)}\n`)
