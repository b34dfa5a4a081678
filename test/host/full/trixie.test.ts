import { describeWays } from './ways.ts'

describeWays('trixie')
