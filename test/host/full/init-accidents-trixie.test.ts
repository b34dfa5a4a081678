import { describeInitAccidents } from '../init-accidents.ts'

describeInitAccidents('trixie')
