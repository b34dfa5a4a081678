import { describePolicy } from '../policy.ts'

describePolicy('bookworm')
