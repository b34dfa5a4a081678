import { describeInitNeighbours } from '../init-neighbours.ts'

describeInitNeighbours('bookworm', 'firewalld')
