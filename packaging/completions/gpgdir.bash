# Written by “npm run documents” from the tables of options.
_gpgdir_complete() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local options='' paths='' values='' command=''
  COMPREPLY=()
  case $command in
    *)
      options='--encrypt-dir -e --decrypt-dir -d --sign-dir --verify-dir --test-mode -t --gnupg-dir -g --Key-id -K --Default-key -D --Symmetric -S --pw-file -p --agent -a --Agent-info -A --no-password --Plain-ascii -P --Obfuscate-filenames -O --obfuscate-map-file --Exclude --Exclude-from --Include --Include-from --exclude-glob --include-glob --no-recurse --Force -F --overwrite-encrypted --overwrite-decrypted --no-delete --Wipe -W --wipe-path --wipe-cmdline --wipe-interactive --no-preserve-times --skip-test -s --Trial-run -T --Interactive -I --jobs --json --quiet -q --verbose -v --user-homedir -u --locale -l --no-locale --Version -V --help -h'
      paths='--pw-file -p --Exclude-from --Include-from --wipe-path'
      values='--encrypt-dir -e --decrypt-dir -d --sign-dir --verify-dir --gnupg-dir -g --Key-id -K --Agent-info -A --obfuscate-map-file --Exclude --Include --exclude-glob --include-glob --wipe-cmdline --jobs --user-homedir -u --locale -l'
      ;;
  esac
  if [[ " $paths " == *" $previous "* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ " $values " == *" $previous "* ]]; then
    return
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  fi
}
complete -F _gpgdir_complete gpgdir
