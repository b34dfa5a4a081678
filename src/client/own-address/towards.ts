/** The own address for a knock on a server: of a family in which the server has addresses. */
import type { ClientSettings } from '../../config/client/layer.ts'
import { type AddressFamily, familyOf } from '../../packet/address.ts'
import type { Failure, Result } from '../../result.ts'
import { authoritiesIn } from '../delivery-for.ts'
import { systemResolve } from '../resolve.ts'
import type { Route } from '../route.ts'
import { findOwnAddress, type OwnAddress } from './find.ts'

/**
 * @param route as `routeFor` made it of these settings. @param server as the user named it.
 * @returns the address; `NAME_UNRESOLVED` for the server, before anybody is asked; and what `findOwnAddress` refuses.
 */
export async function ownAddressTowards(
  settings: ClientSettings,
  route: Route,
  server: string,
): Promise<Result<OwnAddress, Failure>> {
  const authorities = authoritiesIn(settings.caFile)
  if (!authorities.ok) return authorities
  const families = await familiesOf(route, server)
  return families.ok ? findOwnAddress(settings, families.value, authorities.value.authorities) : families
}

async function familiesOf(route: Route, server: string): Promise<Result<readonly AddressFamily[], Failure>> {
  if (route.family !== undefined) return { ok: true, value: [route.family] }
  const addresses = await systemResolve(server)
  if (addresses.ok)
    return { ok: true, value: ([4, 6] as const).filter((it) => addresses.value.map(familyOf).includes(it)) }
  // Perhaps only the proxy can look the server up.
  return route.proxy === undefined ? addresses : { ok: true, value: [4, 6] }
}
