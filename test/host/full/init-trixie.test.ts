import { describeInit } from '../init.ts'

describeInit('trixie')
