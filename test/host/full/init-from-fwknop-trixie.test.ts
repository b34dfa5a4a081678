import { describeInitFromFwknop } from '../init-from-fwknop.ts'

describeInitFromFwknop('trixie')
