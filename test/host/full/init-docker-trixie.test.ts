import { describeInitDocker } from '../init-docker.ts'

describeInitDocker('trixie')
