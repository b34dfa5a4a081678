/** The man pages, and what shells complete, as they should be. */
import { bashCompletion, fishCompletion, zshCompletion } from './completions.ts'
import { manPage } from './man-page.ts'
import { readPrograms } from './programs.ts'

/** @returns path in the repository → text */
export async function writeDocuments(): Promise<ReadonlyMap<string, string>> {
  const programs = await readPrograms()
  return new Map(
    programs.flatMap((program) => [
      [`packaging/man/${program.name}.${program.section}`, manPage(program, programs)],
      [`packaging/completions/${program.name}.bash`, bashCompletion(program)],
      [`packaging/completions/_${program.name}`, zshCompletion(program)],
      [`packaging/completions/${program.name}.fish`, fishCompletion(program)],
    ]),
  )
}
