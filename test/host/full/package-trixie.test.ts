import { describePackage } from './package.ts'

describePackage('trixie')
