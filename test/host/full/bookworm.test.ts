import { describeWays } from './ways.ts'

describeWays('bookworm')
