// Where Debian keeps what administers a system (nft, sysctl, sshd) is not on the PATH of its ordinary users, nor on
// that of a root who came by `su`. Most of it may be run by anybody, and is wanted here. To be imported before whatever
// spawns.
const ADMINISTRATION = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** `path` with the folders of the system's administration after what it has already. */
function withAdministration(path = '/usr/local/bin:/usr/bin:/bin') {
  const folders = path.split(':')
  return [...folders, ...ADMINISTRATION.filter((folder) => !folders.includes(folder))].join(':')
}

process.env['PATH'] = withAdministration(process.env['PATH'])
