import { describeMigration } from './from-fwknop.ts'

describeMigration('bookworm')
