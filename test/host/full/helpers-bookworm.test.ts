import { describeHelpers } from './helpers.ts'

describeHelpers('bookworm')
