/**
 * What systemd runs for a confirmed policy: a unit that loads it at boot, one that puts its table back when somebody
 * removes it, and an addition to `nftables.service`. None of them needs Node.js or ghostport. Pure text, and the paths.
 */
import { POLICY_TABLE } from '../../firewall/host/cures.ts'
import type { WantedFile } from '../way-back/way-back.ts'
import { REMOVE_TABLE } from './render.ts'

/** Where a confirmed policy and its units are. */
export const POLICY_FILE = '/etc/ghostport/policy.nft'
export const POLICY_UNIT = 'ghostport-policy.service'
export const POLICY_UNIT_FILE = `/etc/systemd/system/${POLICY_UNIT}`
/** It comes and goes with the unit of the policy. */
export const POLICY_WATCH = 'ghostport-policy-watch.service'
export const POLICY_WATCH_FILE = `/etc/systemd/system/${POLICY_WATCH}`
/** An addition to Debian's unit, whose file begins with “flush ruleset”. It changes nothing else of it. */
export const NFTABLES_ADDITION = '/etc/systemd/system/nftables.service.d/ghostport-policy.conf'

/** Of an unconfirmed policy. Gone after a reboot, as the policy itself is. */
const PENDING_FOLDER = '/run/ghostport-policy'
/** The file that a confirmation keeps. */
export const PENDING_POLICY = `${PENDING_FOLDER}/policy.nft`
/** The same with the TCP sessions of the moment: the file that is loaded. */
export const PENDING_LOAD = `${PENDING_FOLDER}/load.nft`

/** Where the program may be. */
export const NFT_PROGRAMS = ['/usr/sbin/nft', '/sbin/nft', '/usr/local/sbin/nft', '/usr/bin/nft']

/** What keeps a policy in force, also after a reboot. @param nft path of the program. @param text of the policy. */
export function policyFiles(nft: string, text: string): readonly (WantedFile & { readonly about: string })[] {
  return [
    { path: POLICY_FILE, text, mode: 0o600, about: 'the policy of this host: it drops by default' },
    {
      path: POLICY_UNIT_FILE,
      text: policyUnit(nft),
      mode: 0o644,
      about: 'loads the policy at boot, before the network is up',
    },
    {
      path: POLICY_WATCH_FILE,
      text: policyWatch(nft),
      mode: 0o644,
      about: 'puts the policy back when another program removes its table',
    },
    {
      path: NFTABLES_ADDITION,
      text: nftablesAddition(nft),
      mode: 0o644,
      about: 'loads it again after each “flush ruleset” of nftables.service',
    },
  ]
}

/** @param nft path of the program. */
function policyUnit(nft: string): string {
  return `# The policy of this host from before the network on. “ghostport policy install --confirm” writes this file, and
# “ghostport policy remove” removes it (docs/POLICY.md).

[Unit]
Description=ghostport, the policy of this host
DefaultDependencies=no
# A file such as /etc/nftables.conf may begin with “flush ruleset”.
After=nftables.service
Before=network-pre.target sysinit.target
Wants=network-pre.target
# No conflict with shutdown.target: the policy stays until the kernel ends.
ConditionPathExists=${POLICY_FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${nft} -f ${POLICY_FILE}
ExecReload=${nft} -f ${POLICY_FILE}
ExecStop=${nft} '${REMOVE_TABLE}'
TimeoutStartSec=30

[Install]
WantedBy=sysinit.target
Also=${POLICY_WATCH}
`
}

/**
 * The kernel tells of each table that is made or removed; between such events, this sleeps. It stops before the table
 * is removed on purpose, since it is bound to the unit of the policy. It leaves an unconfirmed change of the policy
 * alone, which ends with a policy that is loaded.
 */
function policyWatch(nft: string): string {
  const mend = [
    `${nft} -t list table inet ${POLICY_TABLE} >/dev/null 2>&1 && return`,
    `[ -e ${PENDING_POLICY} ] && return`,
    `${nft} -f ${POLICY_FILE} && echo "another program removed the table of the policy: it is in force again"`,
  ]
  // nft 1.1 does not read “monitor destroy tables”. The first look comes when the kernel is listened to: a flush before
  // that was not told.
  const listen = `{ (sleep 1; echo) & exec ${nft} monitor tables; } | while read -r told; do mend; done`
  return `# Puts the policy of this host back when another program removes its table, for example by “nft flush ruleset”. “ghostport
# policy remove” removes this file (docs/POLICY.md).

[Unit]
Description=ghostport, puts the policy of this host back
DefaultDependencies=no
BindsTo=${POLICY_UNIT}
After=${POLICY_UNIT}
Conflicts=shutdown.target
Before=shutdown.target
ConditionPathExists=${POLICY_FILE}
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/sh -c 'mend() { ${mend.join('; ')}; }; ${listen}'
SyslogIdentifier=ghostport-policy
Restart=always
RestartSec=1
TimeoutStopSec=5
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_NETLINK AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077

[Install]
WantedBy=${POLICY_UNIT}
`
}

/**
 * Each start, reload and stop of `nftables.service` flushes all tables. This puts ours back at once. A failure of ours
 * (`-`) does not make theirs fail.
 */
function nftablesAddition(nft: string): string {
  return `# Loads ghostport’s policy again after each “flush ruleset” of this unit. “ghostport policy remove” removes this file.
[Service]
ExecStartPost=-${nft} -f ${POLICY_FILE}
ExecReload=-${nft} -f ${POLICY_FILE}
ExecStopPost=-${nft} -f ${POLICY_FILE}
`
}
