/** What is measured side by side. */
import { fwknopdPcap, fwknopdUdp } from './fwknopd.ts'
import { ghostport, ghostportUdp } from './ghostport.ts'
import type { ServerKind } from './server.ts'

/** What ratios are taken against: fwknopd at its quickest. */
export const reference: ServerKind = fwknopdUdp
/** The reference before the others, so that it is measured when they are. */
export const everyServer: readonly ServerKind[] = [fwknopdUdp, fwknopdPcap, ghostport, ghostportUdp]
/** Where one of each is enough. */
export const oneOfEach: readonly ServerKind[] = [fwknopdUdp, ghostport]
