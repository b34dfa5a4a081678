/** Long enough for all times of the gateway to pass, and for its memory to show what it keeps. */
import { describeAttacks } from '../../support/gateway-attacks.ts'

describeAttacks(20)
