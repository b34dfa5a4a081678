/** The privileged half of capture from a file: opens it for reading. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import type { CaptureFailure, OpenedCapture } from '../capture.ts'

/** @returns CAPTURE_FAILED for what cannot be opened, or is no file. */
export function openPcapFile(path: string): Result<OpenedCapture, CaptureFailure> {
  let fd: number
  try {
    // Not to wait at a named pipe.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    return refuse('CAPTURE_FAILED', `the capture file ${path} cannot be read: ${systemReason(error)}`)
  }
  if (!fstatSync(fd).isFile()) {
    closeSync(fd)
    return refuse('CAPTURE_FAILED', `${path} is no file: PCAP_FILE needs a capture file, in the form of tcpdump -w`)
  }
  return ok({ fds: [fd], close: () => closeSync(fd) })
}
