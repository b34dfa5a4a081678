/** What is measured side by side. */
import { fwknopdPcap, fwknopdUdp } from './fwknopd.ts'
import { ghostport, ghostportUdp } from './ghostport.ts'
import type { ServerKind } from './server.ts'

/** The reference of the ratios: fwknopd in its fastest mode. */
export const reference: ServerKind = fwknopdUdp
/** The reference first, so that its result exists when the others are measured. */
export const everyServer: readonly ServerKind[] = [fwknopdUdp, fwknopdPcap, ghostport, ghostportUdp]
/** If one server of each kind is enough. */
export const oneOfEach: readonly ServerKind[] = [fwknopdUdp, ghostport]
