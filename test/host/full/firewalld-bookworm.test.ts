import { describeFirewalld } from '../firewalld.ts'

describeFirewalld('bookworm')
