/** The options of fwknopd 2.6. Which variable one stands for is in {@link variableOf}. */
import type { OptionTable, OptionValues } from '../terminal/parse-command-line.ts'

export const fwknopdOptions = {
  'access-file': { short: 'a', value: 'FILE', help: 'the stanzas (ACCESS_FILE)' },
  'access-folder': { value: 'FOLDER', help: 'read the stanzas of all *.conf files of FOLDER instead (ACCESS_FOLDER)' },
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  'override-config': {
    short: 'O',
    value: 'FILE[,FILE]',
    help: 'more files of settings: what one sets replaces what was set before',
  },
  foreground: { short: 'f', help: 'stay in the foreground, and log to standard error' },
  interface: { short: 'i', value: 'NAME', help: 'listen on this interface (PCAP_INTF)' },
  'pcap-filter': { short: 'P', value: 'FILTER', help: 'which packets to look at (PCAP_FILTER)' },
  'pcap-file': { value: 'FILE', help: 'read packets from a capture file (PCAP_FILE)' },
  'pcap-any-direction': { help: 'look at packets that leave this host too (ENABLE_PCAP_ANY_DIRECTION)' },
  'udp-server': { short: 'U', help: 'listen on a UDP port instead of capturing (ENABLE_UDP_SERVER)' },
  'packet-limit': { short: 'C', value: 'NUMBER', help: 'stop after this many packets that could be SPA packets' },
  'digest-file': { short: 'd', value: 'FILE', help: 'fwknopd’s record of used packets (DIGEST_FILE)' },
  'pid-file': { short: 'p', value: 'FILE', help: 'the file of the process id (FWKNOP_PID_FILE)' },
  'run-dir': { short: 'r', value: 'FOLDER', help: 'where the process id and the used packets are (FWKNOP_RUN_DIR)' },
  locale: { short: 'l', value: 'LOCALE', help: 'no effect: all messages are in English' },
  verbose: { short: 'v', help: 'log more; twice: even more' },
  'syslog-enable': { help: 'log to syslog too, in the foreground' },
  test: { short: 't', help: 'judge packets, and change nothing' },
  kill: { short: 'K', help: 'stop the running fwknopd' },
  restart: { short: 'R', help: 'let the running fwknopd read its files again' },
  status: { short: 'S', help: 'say whether fwknopd is running' },
  'dump-config': { short: 'D', help: 'show settings and stanzas, without keys, and end' },
  'exit-parse-config': { help: 'read the settings and the stanzas, and end' },
  'exit-parse-digest-cache': { help: 'read the record of used packets, and end' },
  'rotate-digest-cache': { help: 'rename the record of used packets to *-old, and begin a new one' },
  'fw-list': { help: 'show the firewall rules of fwknopd' },
  'fw-list-all': { help: 'show all firewall rules' },
  'fw-flush': { help: 'remove the firewall rules of fwknopd' },
  'dump-serv-err-codes': { help: 'list the failure codes' },
  'key-gen': { help: 'make keys, and print them' },
  'key-gen-file': { value: 'FILE', help: 'make keys, and write them to FILE' },
  'key-len': { value: 'BYTES', help: 'length of the encryption key, 1 to 32 (default 32)' },
  'hmac-key-len': { value: 'BYTES', help: 'length of the HMAC key, 1 to 128 (default: by the digest)' },
  'hmac-digest-type': { value: 'DIGEST', help: 'md5 sha1 sha256 sha384 sha512 sha3_256 sha3_512 (default sha256)' },
  'gpg-home-dir': { value: 'FOLDER', help: 'the keyring (GPG_HOME_DIR)' },
  'gpg-exe': { value: 'FILE', help: 'the program gpg (GPG_EXE)' },
  'sudo-exe': { value: 'FILE', help: 'the program sudo (SUDO_EXE)' },
  'no-ipt-check-support': { help: 'no effect: iptables is not tried out' },
  'no-firewd-check-support': { help: 'no effect: firewalld is not tried out' },
  'nfq-capture': { short: 'n', help: 'refused: capture through NFQUEUE is not built' },
  'afl-fuzzing': { short: 'A', help: 'refused: for fwknop’s own tests' },
  'afl-pkt-file': { value: 'FILE', help: 'refused: for fwknop’s own tests' },
  'fault-injection-tag': { value: 'TAG', help: 'refused: for fwknop’s own tests' },
  version: { short: 'V', help: 'show the version' },
  help: { short: 'h', help: 'show this text' },
} as const satisfies OptionTable

/** What was given. */
export type Given = OptionValues<typeof fwknopdOptions>
type Name = keyof typeof fwknopdOptions

/** Options with a value that stand for a variable of fwknopd.conf. */
export const variableOf = {
  interface: 'PCAP_INTF',
  'pcap-filter': 'PCAP_FILTER',
  'pcap-file': 'PCAP_FILE',
  'packet-limit': 'PACKET_LIMIT',
  'access-folder': 'ACCESS_FOLDER',
  'digest-file': 'DIGEST_FILE',
  'pid-file': 'FWKNOP_PID_FILE',
  'run-dir': 'FWKNOP_RUN_DIR',
  locale: 'LOCALE',
  'gpg-home-dir': 'GPG_HOME_DIR',
  'gpg-exe': 'GPG_EXE',
  'sudo-exe': 'SUDO_EXE',
} as const satisfies { readonly [Option in Name]?: string }

/** Of the variables above, those that name a file or folder: a path begins in the working directory. */
export const pathOptions = [
  'pcap-file',
  'access-folder',
  'digest-file',
  'pid-file',
  'run-dir',
  'gpg-home-dir',
  'gpg-exe',
  'sudo-exe',
] as const satisfies readonly (keyof typeof variableOf)[]

/** Flags that set a variable to a value. */
export const switchOf = {
  'udp-server': ['CAPTURE', 'udp'],
  'pcap-any-direction': ['ENABLE_PCAP_ANY_DIRECTION', 'Y'],
  'nfq-capture': ['ENABLE_NFQ_CAPTURE', 'Y'],
} as const satisfies { readonly [Option in Name]?: readonly [variable: string, value: string] }
