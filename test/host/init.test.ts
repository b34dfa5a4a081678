import { describeInit } from './init.ts'

describeInit('bookworm')
