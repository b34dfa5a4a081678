import { describeUnits } from './units.ts'

describeUnits('trixie')
