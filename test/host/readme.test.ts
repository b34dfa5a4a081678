import { describeReadme } from './readme.ts'

describeReadme('bookworm')
