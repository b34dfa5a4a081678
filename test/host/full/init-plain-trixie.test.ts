import { describeInitNeighbours } from '../init-neighbours.ts'

describeInitNeighbours('trixie', 'plain')
