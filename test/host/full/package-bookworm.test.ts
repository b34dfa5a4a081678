import { describePackage } from './package.ts'

describePackage('bookworm')
