import { describeUnits } from './units.ts'

describeUnits('bookworm')
