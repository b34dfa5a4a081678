import { describeInitNeighbours } from '../init-neighbours.ts'

describeInitNeighbours('bookworm', 'plain')
