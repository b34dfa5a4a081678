import { describeHelpers } from './helpers.ts'

describeHelpers('trixie')
