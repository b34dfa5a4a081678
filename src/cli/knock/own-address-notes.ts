/** What `-R` found, for the person who knocks: the port opens for this address. */
import type { OwnAddress, Said } from '../../client/own-address/find.ts'
import { sourceName } from '../../client/own-address/services.ts'

/** The address and who says so; who says otherwise; and what does not protect the answer. */
export function ownAddressNotes({ address, said }: OwnAddress): readonly string[] {
  const agree = said.filter(({ answer }) => 'address' in answer && answer.address === address)
  const others = said.filter((it) => !agree.includes(it))
  const plain = agree.some(({ source }) => source.kind === 'web' && !source.secure)
  const dns = agree.some(({ source }) => source.kind === 'dns')
  return [
    `ghostport: your address is ${address}, as ${agree.map(({ source }) => sourceName(source)).join(' and ')} ${agree.length > 1 ? 'say' : 'says'}`,
    ...others.map((it) => `ghostport: ${describe(it)}`),
    ...(plain ? ['ghostport: plain HTTP is not authenticated: an attacker on the way can choose this address'] : []),
    ...(dns ? ['ghostport: DNS is not authenticated: an attacker on the way can choose this address'] : []),
  ]
}

function describe({ source, answer }: Said): string {
  return 'address' in answer
    ? `${sourceName(source)} says ${answer.address}`
    : `${sourceName(source)}: ${answer.problem}`
}
