# Written by “npm run documents” from the tables of options.
_ghostport_complete() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local options='' paths='' values='' command=''
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then command=${COMP_WORDS[1]}; fi
  if [[ -z $command || ($command == help && COMP_CWORD -eq 2) ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'knock ssh proxy exec keygen client ui user node cluster invite audit serve gate gateway console check explain simulate import init uninstall unit policy status revoke bugreport outside doctor completions help version' -- "$current")
    return
  fi
  case $command in
    knock)
      options='--destination -D --access -A --allow-ip -a --source-ip -s --fw-timeout -f --server-proto -P --server-port -p --rand-port -r --source-port -S --ipv4 -4 --ipv6 -6 --nat-access -N --nat-local --nat-port --nat-rand-port --server-cmd -C --named-config -n --rc-file --no-rc-file --no-home-dir --get-key -G --get-hmac-key --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --use-hmac --stdin --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-encryption -g --gpg-recipient-key --gpg-signer-key --gpg-home-dir --gpg-exe --gpg-agent --gpg-no-signing-pw --spoof-user -U --time-offset-plus --time-offset-minus --verbose -v --resolve-ip-https -R --resolve-http-only --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --http-proxy-password-file --https-ca-file --gateway --gateway-target --gateway-fingerprint --stanza-list --save-packet -B --save-packet-append -b --test -T --wait --knocks --wait-limit --wait-for --close --json --help -h'
      paths='--rc-file --get-key -G --get-hmac-key --gpg-exe --http-proxy-password-file --https-ca-file --save-packet -B'
      values='--destination -D --access -A --allow-ip -a --fw-timeout -f --server-proto -P --server-port -p --source-port -S --nat-access -N --nat-port --server-cmd -C --named-config -n --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-recipient-key --gpg-signer-key --gpg-home-dir --spoof-user -U --time-offset-plus --time-offset-minus --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --gateway --gateway-target --gateway-fingerprint --knocks --wait-limit --wait-for'
      ;;
    ssh)
      options='--destination -D --access -A --allow-ip -a --source-ip -s --fw-timeout -f --server-proto -P --server-port -p --rand-port -r --source-port -S --ipv4 -4 --ipv6 -6 --nat-access -N --nat-local --nat-port --nat-rand-port --server-cmd -C --named-config -n --rc-file --no-rc-file --no-home-dir --get-key -G --get-hmac-key --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --use-hmac --stdin --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-encryption -g --gpg-recipient-key --gpg-signer-key --gpg-home-dir --gpg-exe --gpg-agent --gpg-no-signing-pw --spoof-user -U --time-offset-plus --time-offset-minus --verbose -v --resolve-ip-https -R --resolve-http-only --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --http-proxy-password-file --https-ca-file --gateway --gateway-target --gateway-fingerprint --knocks --wait-limit --wait-for --help -h'
      paths='--rc-file --get-key -G --get-hmac-key --gpg-exe --http-proxy-password-file --https-ca-file'
      values='--destination -D --access -A --allow-ip -a --fw-timeout -f --server-proto -P --server-port -p --source-port -S --nat-access -N --nat-port --server-cmd -C --named-config -n --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-recipient-key --gpg-signer-key --gpg-home-dir --spoof-user -U --time-offset-plus --time-offset-minus --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --gateway --gateway-target --gateway-fingerprint --knocks --wait-limit --wait-for'
      ;;
    proxy)
      options='--destination -D --access -A --allow-ip -a --source-ip -s --fw-timeout -f --server-proto -P --server-port -p --rand-port -r --source-port -S --ipv4 -4 --ipv6 -6 --nat-access -N --nat-local --nat-port --nat-rand-port --server-cmd -C --named-config -n --rc-file --no-rc-file --no-home-dir --get-key -G --get-hmac-key --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --use-hmac --stdin --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-encryption -g --gpg-recipient-key --gpg-signer-key --gpg-home-dir --gpg-exe --gpg-agent --gpg-no-signing-pw --spoof-user -U --time-offset-plus --time-offset-minus --verbose -v --resolve-ip-https -R --resolve-http-only --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --http-proxy-password-file --https-ca-file --gateway --gateway-target --gateway-fingerprint --knocks --wait-limit --wait-for --help -h'
      paths='--rc-file --get-key -G --get-hmac-key --gpg-exe --http-proxy-password-file --https-ca-file'
      values='--destination -D --access -A --allow-ip -a --fw-timeout -f --server-proto -P --server-port -p --source-port -S --nat-access -N --nat-port --server-cmd -C --named-config -n --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-recipient-key --gpg-signer-key --gpg-home-dir --spoof-user -U --time-offset-plus --time-offset-minus --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --gateway --gateway-target --gateway-fingerprint --knocks --wait-limit --wait-for'
      ;;
    exec)
      options='--destination -D --access -A --allow-ip -a --source-ip -s --fw-timeout -f --server-proto -P --server-port -p --rand-port -r --source-port -S --ipv4 -4 --ipv6 -6 --nat-access -N --nat-local --nat-port --nat-rand-port --server-cmd -C --named-config -n --rc-file --no-rc-file --no-home-dir --get-key -G --get-hmac-key --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --use-hmac --stdin --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-encryption -g --gpg-recipient-key --gpg-signer-key --gpg-home-dir --gpg-exe --gpg-agent --gpg-no-signing-pw --spoof-user -U --time-offset-plus --time-offset-minus --verbose -v --resolve-ip-https -R --resolve-http-only --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --http-proxy-password-file --https-ca-file --gateway --gateway-target --gateway-fingerprint --knocks --wait-limit --wait-for --delay --help -h'
      paths='--rc-file --get-key -G --get-hmac-key --gpg-exe --http-proxy-password-file --https-ca-file'
      values='--destination -D --access -A --allow-ip -a --fw-timeout -f --server-proto -P --server-port -p --source-port -S --nat-access -N --nat-port --server-cmd -C --named-config -n --key-base64-rijndael --key-rijndael --key-base64-hmac --key-hmac --fd --hmac-digest-type --digest-type -m --encryption-mode -M --gpg-recipient-key --gpg-signer-key --gpg-home-dir --spoof-user -U --time-offset-plus --time-offset-minus --resolve-url --resolve-dns --user-agent -u --http-proxy -H --spoof-source -Q --icmp-type --icmp-code --http-proxy-user --gateway --gateway-target --gateway-fingerprint --knocks --wait-limit --wait-for --delay'
      ;;
    keygen)
      options='--pair --access --rc --name --server --open --key-gen-file -K --key-len --hmac-key-len --hmac-digest-type --json --help -h'
      paths='--key-gen-file -K'
      values='--name --server --open --key-len --hmac-key-len --hmac-digest-type'
      ;;
    client)
      options='--file --name --replace --server --key-name --fleet --user --bundle-file --gateway-fingerprint --rc-file --json --help -h'
      paths='--file --bundle-file --rc-file'
      values='--name --server --key-name --fleet --user --gateway-fingerprint'
      ;;
    ui)
      options='--rc-file --port --no-browser --stay --help -h'
      paths='--rc-file'
      values='--port'
      ;;
    user)
      options='--config-file -c --access-file -a --nodes-file --nodes --bundle-folder --open --source --nat-targets --nat --time --max-time --spa-port --expire --server --alias --gateway --gateway-target --qr --overlap --show-secrets --profile-file --local --all --except --copy --json --help -h'
      paths='--config-file -c --access-file -a --nodes-file --bundle-folder --profile-file'
      values='--nodes --open --source --nat-targets --nat --time --max-time --spa-port --expire --server --alias --gateway --gateway-target --qr --overlap --except'
      ;;
    node)
      options='--config-file -c --access-file -a --nodes-file --server --this --key-name --json --help -h'
      paths='--config-file -c --access-file -a --nodes-file'
      values='--server --key-name'
      ;;
    cluster)
      options='--config-file -c --etcd --node --user --admin --admin-password-file --ca-file --certificate-file --key-file --users --plain --no-login --dry-run --yes -y --only --days --strict --all --list --json --help -h'
      paths='--config-file -c --admin-password-file --ca-file --certificate-file --key-file'
      values='--etcd --node --user --admin --only --days'
      ;;
    invite)
      options='--config-file -c --access-file -a --file --for --open --source --nat-targets --nat --time --max-time --spa-port --expire --server --alias --gateway --gateway-target --gateway-fingerprint --gateway-token --fingerprint --anyway --show-secrets --json --help -h'
      paths='--config-file -c --access-file -a --file --gateway-token'
      values='--for --open --source --nat-targets --nat --time --max-time --spa-port --expire --server --alias --gateway --gateway-target --gateway-fingerprint --fingerprint'
      ;;
    audit)
      options='--config-file -c --log --expect --last --json --help -h'
      paths='--config-file -c --log'
      values='--expect --last'
      ;;
    serve)
      options='--config-file -c --access-file -a --interface -i --udp-server -U --pcap-file --packet-limit -C --exit-parse-config --fw-flush --dry-run --receiver-socket --helper-socket --foreground -f --verbose -v --help -h'
      paths='--config-file -c --access-file -a --pcap-file --receiver-socket --helper-socket'
      values='--interface -i --packet-limit -C'
      ;;
    gate)
      options='--config-file -c --access-file -a --helper-socket --help -h'
      paths='--config-file -c --access-file -a --helper-socket'
      values=''
      ;;
    gateway)
      options='--config -c --profile --target --stdin --json --check --help -h'
      paths='--config -c --profile'
      values='--target'
      ;;
    console)
      options='--config -c --role --for --file --json --check --help -h'
      paths='--config -c --file'
      values='--role --for'
      ;;
    check)
      options='--config-file -c --access-file -a --json --help -h'
      paths='--config-file -c --access-file -a'
      values=''
      ;;
    explain)
      options='--config-file -c --access-file -a --from --to --port --at --json --help -h'
      paths='--config-file -c --access-file -a'
      values='--from --to --port --at'
      ;;
    simulate)
      options='--config-file -c --access-file -a --from --to --port --at --stanza --user --access -A --allow-ip -a --fw-timeout -f --nat-access -N --nat-local --nat-port --server-cmd -C --json --help -h'
      paths='--config-file -c --access-file -a'
      values='--from --to --port --at --stanza --user --access -A --allow-ip -a --fw-timeout -f --nat-access -N --nat-port --server-cmd -C'
      ;;
    import)
      options='--config-file -c --access-file -a --rc-file --json --help -h'
      paths='--config-file -c --access-file -a --rc-file'
      values=''
      ;;
    init)
      options='--hide --server --alias --name --policy --allow --time --answers --plan --yes -y --write-client --no-rehearsal --no-wait --confirm --revert --more-time --status --json --help -h'
      paths='--answers --write-client'
      values='--hide --server --alias --name --policy --allow --time --more-time'
      ;;
    uninstall)
      options='--plan --yes -y --json --help -h'
      paths=''
      values=''
      ;;
    unit)
      options='--config-file -c --access-file -a --receiver --receiver-socket --helper --helper-socket --all --gate --help -h'
      paths='--config-file -c --access-file -a --all'
      values=''
      ;;
    policy)
      options='--config-file -c --allow --allow-from --trust --no-ping --reverse-path --forward --out --confirm --revert --revert-after --i-have-a-console --from-outside --scan-result --json --help -h'
      paths='--config-file -c --scan-result'
      values='--allow --allow-from --trust --reverse-path --forward --out --revert-after'
      ;;
    status)
      options='--socket -s --metrics --json --help -h'
      paths='--socket -s'
      values=''
      ;;
    revoke)
      options='--socket -s --json --help -h'
      paths='--socket -s'
      values=''
      ;;
    bugreport)
      options='--output -o --yes -y --with-addresses --json --config-file -c --access-file -a --help -h'
      paths='--output -o --config-file -c --access-file -a'
      values=''
      ;;
    outside)
      options='--ports -p --knock --rc-file --after --nmap --expect --save --from --ipv4 -4 --ipv6 -6 --timeout --rate --compare --json --help -h'
      paths='--rc-file --expect --save'
      values='--ports -p --knock --after --from --timeout --rate'
      ;;
    doctor)
      options='--server --client --config-file -c --access-file -a --named-config -n --rc-file --only --fix --yes -y --strict --all --list --json --help -h'
      paths='--config-file -c --access-file -a --rc-file'
      values='--named-config -n --only'
      ;;
    completions)
      options='--help -h'
      paths=''
      values=''
      ;;
    help)
      options='--help -h'
      paths=''
      values=''
      ;;
    version)
      options='--json --help -h'
      paths=''
      values=''
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
complete -F _ghostport_complete ghostport
