# Written by “npm run documents” from the tables of options.
_fwknop_complete() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local options='' paths='' values='' command=''
  COMPREPLY=()
  case $command in
    *)
      options='--destination -D --allow-ip -a --source-ip -s --fw-timeout -f --server-proto -P --server-port -p --rand-port -r --source-port -S --nat-access -N --nat-local --nat-port --nat-rand-port --server-cmd -C --named-config -n --rc-file --no-rc-file --no-home-dir --get-key -G --get-hmac-key --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --use-hmac --stdin --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-encryption -g --gpg-recipient-key --gpg-signer-key --gpg-home-dir --gpg-exe --gpg-agent --gpg-no-signing-pw --spoof-user -U --time-offset-plus --time-offset-minus --resolve-ip-https -R --resolve-http-only --resolve-url --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --gateway --gateway-target --gateway-fingerprint --key-gen -k --key-gen-file -K --key-len --hmac-key-len --save-rc-stanza --force-stanza --stanza-list --last-cmd -l --show-last --save-args-file -E --save-packet -B --save-packet-append -b --no-save-args --access -A --server-resolve-ipv4 --verbose -v --test -T --include-keys --version -V --help -h --NAT-access --NAT-local --HTTP --HTTP-proxy --HTTP-proxy-user --HTTP-proxy-password'
      paths='--rc-file --get-key -G --get-hmac-key --gpg-exe --key-gen-file -K --save-args-file -E --save-packet -B'
      values='--destination -D --allow-ip -a --fw-timeout -f --server-proto -P --server-port -p --source-port -S --nat-access -N --nat-port --server-cmd -C --named-config -n --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-recipient-key --gpg-signer-key --gpg-home-dir --spoof-user -U --time-offset-plus --time-offset-minus --resolve-url --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --gateway --gateway-target --gateway-fingerprint --key-len --hmac-key-len --access -A --NAT-access --HTTP-proxy --HTTP-proxy-user --HTTP-proxy-password'
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
complete -F _fwknop_complete fwknop
