/** What bash, zsh and fish complete: commands, options, and paths where a value is one. */
import { type Program, type ProgramCommand, shownOptions, type Usage } from './programs.ts'

/** The commands of a program; of a program without any, the program itself as one without a name. */
function parts({ commands, usage }: Program): readonly (Usage & Partial<Pick<ProgramCommand, 'name' | 'summary'>>)[] {
  return usage === undefined ? commands : [usage]
}

/** Whether the words besides the options are files. */
function takesFiles({ usage }: Program): boolean {
  return usage?.operands.rest === 'LOG'
}

const HEAD = '# Written by “npm run documents” from the tables of options.'

export function bashCompletion(program: Program): string {
  const { name, commands } = program
  const cases = parts(program).map((part) => {
    const shown = shownOptions(part)
    const words = shown.flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])
    const withValue = shown.filter(({ value }) => value !== undefined)
    const flagsOf = (some: typeof shown): string =>
      some.flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]).join(' ')
    return [
      `    ${part.name ?? '*'})`,
      `      options='${words.join(' ')}'`,
      `      paths='${flagsOf(withValue.filter(({ takesPath }) => takesPath))}'`,
      `      values='${flagsOf(withValue.filter(({ takesPath }) => !takesPath))}'`,
      '      ;;',
    ]
  })
  const function_ = `_${name}_complete`
  return [
    HEAD,
    `${function_}() {`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: variables of bash
    '  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}',
    "  local options='' paths='' values='' command=''",
    '  COMPREPLY=()',
    ...(commands.length === 0
      ? []
      : [
          // biome-ignore lint/suspicious/noTemplateCurlyInString: variables of bash
          '  if ((COMP_CWORD > 1)); then command=${COMP_WORDS[1]}; fi',
          '  if [[ -z $command || ($command == help && COMP_CWORD -eq 2) ]]; then',
          `    mapfile -t COMPREPLY < <(compgen -W '${commands.map((command) => command.name).join(' ')}' -- "$current")`,
          '    return',
          '  fi',
        ]),
    '  case $command in',
    ...cases.flat(),
    '  esac',
    '  if [[ " $paths " == *" $previous "* ]]; then',
    '    compopt -o filenames 2>/dev/null',
    '    mapfile -t COMPREPLY < <(compgen -f -- "$current")',
    '  elif [[ " $values " == *" $previous "* ]]; then',
    '    return',
    '  elif [[ $current == -* ]]; then',
    '    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")',
    ...(takesFiles(program)
      ? ['  else', '    compopt -o filenames 2>/dev/null', '    mapfile -t COMPREPLY < <(compgen -f -- "$current")']
      : []),
    '  fi',
    '}',
    `complete -F ${function_} ${name}`,
    '',
  ].join('\n')
}

export function zshCompletion(program: Program): string {
  const { name, commands } = program
  const specs = (part: Usage): string =>
    shownOptions(part)
      .map(({ name, short, value, help, takesPath }) => {
        const text = zshText(help)
        const argument = value === undefined ? '' : `:${zshText(value)}:${takesPath ? '_files' : ' '}`
        const flags = short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`]
        const alone = flags.length === 1 ? '' : `'(${flags.join(' ')})'`
        const which = flags.length === 1 ? `'${flags[0]}` : `{${flags.join(',')}}'`
        return `${alone}${which}[${text}]${argument}'`
      })
      .join(' \\\n        ')
  const described = commands.map((command) => `    '${command.name}:${zshText(command.summary)}'`)
  const body =
    program.usage !== undefined
      ? [
          `  _arguments -s \\\n        ${specs(program.usage)}${takesFiles(program) ? ` \\\n        '*:log:_files'` : ''}`,
        ]
      : [
          '  local -a commands',
          '  commands=(',
          ...described,
          '  )',
          '  if ((CURRENT == 2)); then',
          `    _describe 'command' commands`,
          '    return',
          '  fi',
          '  local command=$words[2]',
          '  shift words',
          '  ((CURRENT--))',
          '  case $command in',
          ...commands.flatMap((command) => [
            `    ${command.name})`,
            ...(command.name === 'help' ? [`      _describe 'command' commands`] : []),
            `      _arguments -s \\\n        ${specs(command)} \\\n        '*::word:_default'`,
            '      ;;',
          ]),
          '  esac',
        ]
  return [`#compdef ${name}`, HEAD, `_${name}() {`, ...body, '}', `_${name} "$@"`, ''].join('\n')
}

/** Text within '…[…]:…' of _arguments. */
function zshText(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, '\\$&')
}

export function fishCompletion(program: Program): string {
  const { name, commands } = program
  const words = commands.map((command) => command.name).join(' ')
  const none = `not __fish_seen_subcommand_from ${words}`
  return [
    HEAD,
    ...(commands.length === 0 ? [] : [`complete -c ${name} -f`]),
    ...commands.map((command) => `complete -c ${name} -n '${none}' -a ${command.name} -d ${fishText(command.summary)}`),
    ...(commands.length === 0 ? [] : [`complete -c ${name} -n '__fish_seen_subcommand_from help' -a '${words}'`]),
    ...parts(program).flatMap((part) =>
      shownOptions(part).map(({ name: long, short, value, help, takesPath }) => {
        const when = part.name === undefined ? '' : ` -n '__fish_seen_subcommand_from ${part.name}'`
        const takes = value === undefined ? '' : takesPath ? ' -r -F' : ' -x'
        const letter = short === undefined ? '' : ` -s ${short}`
        return `complete -c ${name}${when}${letter} -l ${long}${takes} -d ${fishText(help)}`
      }),
    ),
    '',
  ].join('\n')
}

function fishText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
