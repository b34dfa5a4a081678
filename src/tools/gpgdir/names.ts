/** What the names of files mean to gpgdir, and which name a result gets. Pure. */

/** Whether it is one name, which leads nowhere else. */
export function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)
}

/** What is done to each file of a tree. */
export type Operation = 'encrypt' | 'decrypt' | 'sign' | 'verify'

const ENCRYPTED = /\.(?:gpg|pgp|asc)$/
const OBFUSCATED_FILE = /^gpgdir_(?:\d+_)?\d+\.gpg$/
const OWN = /^\.gpgdir(?:\.pid|\.journal|_tmp\.[0-9a-f]{16})$/

/** In the top folder: held locked while gpgdir works there. */
export const LOCK_NAME = '.gpgdir.pid'
/** In the top folder: which results are whole, so that the next run can remove their sources. */
export const JOURNAL_NAME = '.gpgdir.journal'

/** Whether the file, or a folder on its way, is hidden. @param path below the top folder. */
export function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.'))
}

/** @param random 16 lower-case hex digits. */
export function temporaryName(random: string): string {
  return `.gpgdir_tmp.${random}`
}

/** Left by a run that was killed. */
export function isTemporary(name: string): boolean {
  return name.startsWith('.gpgdir_tmp.') && OWN.test(name)
}

/** Lock, journal and temporary files of gpgdir itself. */
export function isOwn(name: string): boolean {
  return OWN.test(name)
}

/** Real names of files; `--obfuscate-map-file` names another one. Encrypted, it ends in `.gpg`. */
export const DEFAULT_FILE_MAP = '.gpgdir_map_file'
/** Real names of folders. */
export const FOLDER_MAP = '.gpgdir_dir_map_file'

export function isObfuscated(name: string): boolean {
  return OBFUSCATED_FILE.test(name)
}

/** Whether the name ends as an encrypted or signed file’s. gpgdir 1.9.6 looks for the ending anywhere in the name. */
export function looksEncrypted(name: string): boolean {
  return ENCRYPTED.test(name)
}

/** The name of what is made of this file. For `verify`: of the file that was signed. */
export function resultName(name: string, operation: Operation, armor: boolean): string {
  switch (operation) {
    case 'encrypt':
      return `${name}${armor ? '.asc' : '.gpg'}`
    case 'sign':
      return `${name}.asc`
    case 'decrypt':
    case 'verify':
      return name.replace(ENCRYPTED, '')
    default:
      return operation satisfies never
  }
}
