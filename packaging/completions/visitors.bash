# Written by “npm run documents” from the tables of options.
_visitors_complete() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local options='' paths='' values='' command=''
  COMPREPLY=()
  case $command in
    *)
      options='--report -r --by -b --top -n --agents --since -s --until -u --path -p --agent -a --not-agent -A --line --status --address --kind -k --merge-paths -m --no-query --lines -l --rest --ghostport -g --verify --resolver --format -f --output -o --log-format -F --name --version -V --help -h'
      paths='--ghostport -g --output -o'
      values='--report -r --by -b --top -n --agents --since -s --until -u --path -p --agent -a --not-agent -A --line --status --address --kind -k --resolver --format -f --log-format -F --name'
      ;;
  esac
  if [[ " $paths " == *" $previous "* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ " $values " == *" $previous "* ]]; then
    return
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -F _visitors_complete visitors
