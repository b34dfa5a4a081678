import { describeGateway } from './gateway.ts'

describeGateway('trixie')
