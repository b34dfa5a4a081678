import { describeGateway } from './gateway.ts'

describeGateway('bookworm')
