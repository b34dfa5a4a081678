import { describePolicy } from '../policy.ts'

describePolicy('trixie')
