/**
 * The short words of fwknopd 2.6 for a fault of its configuration, which scripts and filters of logs look for. They
 * stand before our own sentence, and only where they are true of the fault. The table is tried from its top.
 */
import type { Failure } from '../../result.ts'

type Words = string | ((...groups: string[]) => string)

/** What a sentence of ours says → fwknopd's words. */
const table: readonly (readonly [sentence: RegExp, words: Words])[] = [
  [/(SOURCE|DESTINATION): .* is not a network: the mask is missing/, (name) => `Missing mask in ${name}`],
  [/(SOURCE|DESTINATION): .* is not a network: the dotted mask/, (name) => `error parsing IP mask of ${name}`],
  [/(SOURCE|DESTINATION): .* is not a network: the mask/, (name) => `Invalid IP mask in ${name}`],
  [
    /(SOURCE|DESTINATION): .* is not an IP address/,
    (name) => `Error parsing the IP address of ${name}: Fatal error parsing IP to int: Fatal invalid ${name}`,
  ],
  [
    /(?:OPEN|RESTRICT)_PORTS: “[^/”]+\/[^”]*” is not a protocol and port/,
    'Invalid protocol or port in access port entry',
  ],
  [
    /((?:OPEN|RESTRICT)_PORTS): .* is not a protocol and port/,
    (name) => `Parse error on access port entry: Fatal invalid ${name} in access stanza`,
  ],
  [/((?:OPEN|RESTRICT)_PORTS): .* has no port/, (name) => `Fatal invalid ${name} in access stanza`],
  [/HMAC_DIGEST_TYPE: .* is not a digest type: one of (.*)$/, (types) => `HMAC_DIGEST_TYPE must be one of ${types}`],
  [/without also setting CMD_CYCLE_TIMER/, 'Must set the CMD_CYCLE_TIMER for command cycle functionality'],
  [/(CMD_\w+_USER): there is no user/, (name) => `Unable to determine UID for ${name}: Not a user on this system.`],
  [/(CMD_\w+_GROUP): there is no group/, (name) => `Unable to determine GID for ${name}: Not a group on this system.`],
  [/PCAP_INTF: there is no interface “(.*)”/, (name) => `pcap_open_live() error: ${name}: No such device exists`],
  [/FWKNOP_RUN_DIR: “(.*)” is not a folder/, (path) => `Specified Run directory: ${path} is NOT a directory`],
  [/^--key-len: /, 'Invalid key length'],
  [/^--hmac-key-len: /, 'Invalid hmac key length'],
  [/^--hmac-digest-type: /, 'Invalid hmac digest type'],
  [/ENCRYPTION_MODE: .* is not an encryption mode/, 'Unrecognized ENCRYPTION_MODE'],
  [/only stanza has no usable key|no stanza has a usable key/, 'Could not find valid SOURCE stanza'],
  [/it is not said who may sign/, 'Must have either sig IDs or fingerprints'],
  [
    /GPG_HOME_DIR: (.*): there is no such folder|--gpg-home-dir: (.*): no such file/,
    (...at) => `unable to stat ${at.join('')}`,
  ],
  [
    /is left out: .*the stanza has no key/,
    'No keys found for access stanza: Data error in included keyfile, skipping stanza',
  ],
  [/the stanza has no key/, 'No keys found for access stanza'],
  [/there is no stanza/, 'Could not find valid SOURCE stanza: could not find any valid access.conf stanzas'],
  [/includes itself/, 'Refusing to go deeper than once: the file includes itself'],
  [/levels deep/, 'Refusing to go deeper than 3 levels'],
  [/ACCESS_FOLDER: .*too long/, 'Invalid access folder directory: the path is too long'],
  [/--access-folder needs a value/, 'Invalid access folder directory: it is empty'],
  [/ACCESS_FOLDER/, 'Invalid access folder directory'],
  [/the path “(.*)” does not begin with/, (path) => `Path '${path}' is not absolute`],
  [/the HMAC key is the same/, 'The encryption passphrase and HMAC key should not be identical'],
  [/ACCESS_EXPIRE: /, 'invalid date value (need MM/DD/YYYY) in ACCESS_EXPIRE'],
  [/(\w+): __CHANGEME__ is a placeholder/, (name) => `${name} value is not properly set`],
  [/(\w*KEY_BASE64): the key is not base64/, (name) => `${name} does not look like base64`],
  [/an? (?:encryption|HMAC) key has at most/, 'Invalid access file entry'],
  [/a file of %include_keys may hold only keys/, 'Invalid access file entry'],
  [/is in no stanza|no usable key|does not begin with the name of a setting/, 'Could not find valid SOURCE stanza'],
  [/(FW_ACCESS_TIMEOUT|MAX_FW_TIMEOUT|CMD_CYCLE_TIMER): /, (name) => `${name} value not in range`],
  [/ACCESS_EXPIRE_EPOCH: /, 'invalid epoch seconds value in ACCESS_EXPIRE_EPOCH'],
  [/SYSLOG_FACILITY: /, 'Invalid SYSLOG_FACILITY setting'],
  [/(IPT_\w+_ACCESS): /, (name) => `Invalid ${name} specification`],
  [/SNAT_TRANSLATE_IP: /, 'Invalid IPv4 address in SNAT_TRANSLATE_IP'],
  [/FORCE_NAT: “.*” is not a port number/, 'invalid FORCE_NAT port'],
  [/FORCE_NAT: “.*” is not an/, 'invalid FORCE_NAT arg, need <IP> <PORT>: invalid FORCE_NAT IP'],
  [/FORCE_SNAT: “.*” is not an IP address/, 'invalid FORCE_SNAT IP'],
  [
    /FORCE_NAT needs (ENABLE_IPT_FORWARDING) Y or (ENABLE_IPT_LOCAL_NAT) Y/,
    (one, other) => `FORCE_NAT requires either ${one} or ${other} to be enabled in fwknopd.conf`,
  ],
  [/(FORCE_SNAT|FORCE_MASQUERADE) needs FORCE_NAT/, (name) => `${name} requires either FORCE_NAT or FORWARD_ALL`],
  [/is above MAX_FW_TIMEOUT/, 'honoring MAX_FW_TIMEOUT'],
  [/(\w+): .* is not (?:a port number|a whole number .*from)/, (name) => `var ${name} value not in the range`],
  [/is left out: /, 'Data error in included keyfile, skipping stanza'],
  [/(\w+) has no value/, (name) => `Invalid config file entry: ${name}`],
]

/** @returns fwknopd's words for a fault, or undefined where it has none that would be true. */
export function wordsOfFwknopd({ code, detail }: Pick<Failure, 'code' | 'detail'>): string | undefined {
  if (code === 'CONFIG_UNSUPPORTED_KEY') return undefined
  return wordsFor(detail)
}

/** The same for a sentence about a stanza that is left out, while the server starts. */
export function wordsFor(sentence: string): string | undefined {
  for (const [pattern, words] of table) {
    const match = pattern.exec(sentence)
    if (match !== null) return typeof words === 'string' ? words : words(...match.slice(1))
  }
  return undefined
}
