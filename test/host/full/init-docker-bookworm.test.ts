import { describeInitDocker } from '../init-docker.ts'

describeInitDocker('bookworm')
