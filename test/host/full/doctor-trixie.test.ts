import { describeDoctor } from './doctor.ts'

describeDoctor('trixie')
