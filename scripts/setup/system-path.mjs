// Debian keeps the administrator's programs (nft, sysctl, sshd) in folders that are not on the PATH of ordinary users,
// nor of a root who came by `su`. Every user may run most of them, and they are needed here. Import this before any
// module that starts programs.
const ADMINISTRATION = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** `path`, followed by the folders of the administrator's programs. */
function withAdministration(path = '/usr/local/bin:/usr/bin:/bin') {
  const folders = path.split(':')
  return [...folders, ...ADMINISTRATION.filter((folder) => !folders.includes(folder))].join(':')
}

process.env['PATH'] = withAdministration(process.env['PATH'])
