import { describeFirewalldStorms } from '../firewalld-storms.ts'

describeFirewalldStorms('bookworm')
