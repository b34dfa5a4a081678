import { describeInitPolicy } from '../init-policy.ts'

describeInitPolicy('trixie')
