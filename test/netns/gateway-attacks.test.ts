/** Short; `test/netns/full/gateway-attacks.test.ts` takes longer. */
import { describeAttacks } from '../support/gateway-attacks.ts'

describeAttacks(1)
