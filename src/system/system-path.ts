/**
 * Paths for the system, whose names are bytes: those that are not UTF-8 reach it as the bytes that they were read as.
 */
import { bytesFromText, isUnicode } from '../bytes/text.ts'

/** @param path as `textFromBytes` gives it. @returns what the functions of `node:fs` take for a path. */
export function systemPath(path: string): string | Buffer {
  if (isUnicode(path)) return path
  const bytes = bytesFromText(path)
  return bytes === undefined ? path : Buffer.from(bytes)
}
