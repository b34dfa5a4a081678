/**
 * What `ps` shows of a process. Node writes a title over the arguments, so that no key among them is left to see, and
 * gives it to the main thread as well, whose name has room for 15 bytes.
 */
export const WARDEN_TITLE = 'ghostport: warden'
export const RECEIVER_TITLE = 'ghostport: receiver'

/** Titles longer than the command line that a process was started with are cut: theirs are long enough. */
export function setProcessTitle(title: string): void {
  process.title = title
}
