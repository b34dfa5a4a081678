import { describeMigration } from './from-fwknop.ts'

describeMigration('trixie')
