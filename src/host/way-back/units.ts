/** The names of what the way back keeps on disk. */

/** The units of the dead-man switch. */
export const WAY_BACK_UNITS = {
  service: 'ghostport-undo.service',
  timer: 'ghostport-undo.timer',
  boot: 'ghostport-undo-boot.service',
} as const

export const UNIT_FOLDER = '/etc/systemd/system'
/** Belongs to root, mode 0700. It outlives the package, until it is purged. */
export const WAY_BACK_FOLDER = '/var/lib/ghostport/way-back'
