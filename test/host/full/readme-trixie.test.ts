import { describeReadme } from '../readme.ts'

describeReadme('trixie')
