/** A man page in the macros of man(7). */
import { type Program, shownOptions, type Usage } from './programs.ts'

export function manPage(program: Program, all: readonly Program[]): string {
  const { name, section, summary, commands, usage, files } = program
  const others = all.filter((other) => other !== program)
  const lines = [
    `.\\" ${name}(${section}): written by “npm run documents” from the tables of options.`,
    `.TH ${name.toUpperCase()} ${section} "" "ghostport" "${section === 1 ? 'User Commands' : 'System Administration'}"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary)}`,
    '.SH SYNOPSIS',
    ...(usage === undefined ? [`.B ${roff(name)}`, '.I COMMAND', '[options]'] : synopsis(name, usage)),
    '.SH DESCRIPTION',
    ...(usage === undefined
      ? [
          'A server that watches for one encrypted and authenticated packet, and opens one port for one address and some',
          'seconds when a valid one comes; and the client that sends it. The packets are those of fwknop.',
          '.PP',
          'The commands are described below. “ghostport COMMAND \\-\\-help” shows the same text.',
        ]
      : paragraph(usage.about)),
    ...(usage === undefined ? [] : ['.SH OPTIONS', ...options(usage), ...examples(usage)]),
    ...(commands.length === 0 ? [] : ['.SH COMMANDS']),
    ...commands.flatMap((command) => [
      `.SS ${roff(`${name} ${command.name}`)}`,
      ...synopsis(`${name} ${command.name}`, command),
      '.PP',
      ...paragraph(command.about),
      ...options(command),
      ...examples(command),
    ]),
    '.SH FILES',
    ...files.flatMap(([path, what]) => ['.TP', `.I ${roff(path)}`, roff(what)]),
    '.SH EXIT STATUS',
    '0 for success. The pages below docs/ of the package list the others, with the code of each failure.',
    '.SH SEE ALSO',
    others.map((other) => `.BR ${other.name} (${other.section})`).join(',\n'),
  ]
  return `${lines.join('\n')}\n`
}

function synopsis(name: string, { options: table, operands }: Usage): readonly string[] {
  const { required = [], optional = [], rest } = operands
  const words = [
    ...(Object.keys(table).length === 0 ? [] : ['[options]']),
    ...required,
    ...optional.map((operand) => `[${operand}]`),
    ...(rest === undefined ? [] : [`[${rest}]`]),
  ]
  return [`.B ${roff(name)}`, ...(words.length === 0 ? [] : [roff(words.join(' '))])]
}

function options(usage: Usage): readonly string[] {
  return shownOptions(usage).flatMap(({ name, short, value, help }) => {
    const dashes = [...(short === undefined ? [] : [`-${short}`]), `--${name}`].map((flag) => `\\fB${roff(flag)}\\fR`)
    return ['.TP', `${dashes.join(', ')}${value === undefined ? '' : ` \\fI${roff(value)}\\fR`}`, roff(help)]
  })
}

function examples({ after }: Usage): readonly string[] {
  return after.length === 0 ? [] : ['.PP', ...after.flatMap((text, i) => [...(i === 0 ? [] : ['.br']), roff(text)])]
}

function paragraph(texts: readonly string[]): readonly string[] {
  return texts.map(roff)
}

/** Text that roff shows as it is: a dash that can be copied, no escape, no request at the start of a line. */
function roff(text: string): string {
  const plain = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('~', '\\(ti').replaceAll('^', '\\(ha')
  return /^[.']/.test(plain) ? `\\&${plain}` : plain
}
