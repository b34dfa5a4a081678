import { describeDoctor } from './doctor.ts'

describeDoctor('bookworm')
