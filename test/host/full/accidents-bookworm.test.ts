import { describeAccidents } from './ways.ts'

describeAccidents('bookworm')
