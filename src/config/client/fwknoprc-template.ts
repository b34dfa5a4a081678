/** The rc file that `fwknop` makes where there is none. All settings in it are comments. */
export const fwknoprcTemplate = `# .fwknoprc
# This file contains the settings of the SPA client, for “fwknop” and “ghostport knock”.
#
# A stanza begins with its name in brackets. The settings of [default] count for every knock. Those of a named stanza
# replace them (-n NAME), and options of the command line replace both.
# The file holds keys: only its owner may be able to read it (chmod 600).
# docs/CLIENT.md of ghostport lists the settings. A line that begins with # is a comment.

[default]

#DIGEST_TYPE         sha256
#FW_TIMEOUT          30
#SPA_SERVER_PORT     62201
#SPA_SERVER_PROTO    udp
#ALLOW_IP            source
#NO_SAVE_ARGS        N

# An example: “fwknop -n myssh” opens ssh on 192.0.2.20 for the address that the packet comes from.
#
#[myssh]
#SPA_SERVER          192.0.2.20
#ACCESS              tcp/22
#ALLOW_IP            source
#KEY_BASE64          (from “fwknop --key-gen”)
#HMAC_KEY_BASE64     (from the same)
`
