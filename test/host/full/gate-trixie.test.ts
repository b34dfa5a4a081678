import { describeGate } from '../gate.ts'

describeGate('trixie')
