/** Opens doors as a server would, for as many clients: COUNT LIFETIME. The grants stay in the kernel when this ends. */
import { createNftablesFirewall } from '../../src/firewall/nftables/nftables.ts'
import { parseAddress } from '../../src/packet/address.ts'
import { port } from '../../src/units.ts'
import { grantFor } from '../../test/contract/firewall.ts'

const [count = 0, lifetime = 0] = process.argv.slice(2).map(Number)
const made = createNftablesFirewall({ mode: { kind: 'mark' } })
if (!made.ok) throw new Error(made.failure.detail)
const installed = await made.value.install()
if (!installed.ok) throw new Error(installed.failure.detail)
const grants = Array.from({ length: count }, (_, i) => {
  const source = parseAddress(`10.77.${(i + 1) >> 8}.${(i + 1) & 0xff}`)
  if (!source.ok) throw new Error(source.failure.detail)
  return grantFor(source.value, [{ kind: 'access', protocol: 'tcp', port: port(22) }], lifetime)
})
const opened = await made.value.open(grants)
await made.value.close()
const refused = opened.find((result) => !result.ok)
if (refused?.ok === false) throw new Error(refused.failure.detail)
