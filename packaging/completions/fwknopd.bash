# Written by “npm run documents” from the tables of options.
_fwknopd_complete() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local options='' paths='' values='' command=''
  COMPREPLY=()
  case $command in
    *)
      options='--access-file -a --access-folder --config-file -c --override-config -O --foreground -f --interface -i --pcap-filter -P --pcap-file --pcap-any-direction --udp-server -U --packet-limit -C --digest-file -d --pid-file -p --run-dir -r --locale -l --verbose -v --syslog-enable --test -t --kill -K --restart -R --status -S --dump-config -D --exit-parse-config --exit-parse-digest-cache --rotate-digest-cache --fw-list --fw-list-all --fw-flush --dump-serv-err-codes --key-gen --key-gen-file --key-len --hmac-key-len --hmac-digest-type --gpg-home-dir --gpg-exe --sudo-exe --no-ipt-check-support --no-firewd-check-support --version -V --help -h'
      paths='--access-file -a --access-folder --config-file -c --override-config -O --pcap-file --digest-file -d --pid-file -p --run-dir -r --key-gen-file --gpg-home-dir --gpg-exe --sudo-exe'
      values='--interface -i --pcap-filter -P --packet-limit -C --locale -l --key-len --hmac-key-len --hmac-digest-type'
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
complete -F _fwknopd_complete fwknopd
