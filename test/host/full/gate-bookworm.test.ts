import { describeGate } from '../gate.ts'

describeGate('bookworm')
