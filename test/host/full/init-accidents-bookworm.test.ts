import { describeInitAccidents } from '../init-accidents.ts'

describeInitAccidents('bookworm')
