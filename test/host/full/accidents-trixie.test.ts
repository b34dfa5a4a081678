import { describeAccidents } from './ways.ts'

describeAccidents('trixie')
