/** The man pages, and what shells complete, as they should be. */
import type { CommandTable } from '../../src/cli/command.ts'
import { bashCompletion, fishCompletion, zshCompletion } from './completions.ts'
import { manPage } from './man-page.ts'
import { readPrograms } from './programs.ts'

/** What a package without the server has. */
export interface Part {
  readonly commands?: CommandTable
  /** Names. */
  readonly programs?: ReadonlySet<string>
}

/** @returns path in the repository → text */
export async function writeDocuments(part: Part = {}): Promise<ReadonlyMap<string, string>> {
  const all = await readPrograms(part.commands)
  const programs = all.filter(({ name }) => part.programs?.has(name) ?? true)
  return new Map(
    programs.flatMap((program) => [
      [`packaging/man/${program.name}.${program.section}`, manPage(program, programs)],
      [`packaging/completions/${program.name}.bash`, bashCompletion(program)],
      [`packaging/completions/_${program.name}`, zshCompletion(program)],
      [`packaging/completions/${program.name}.fish`, fishCompletion(program)],
    ]),
  )
}
