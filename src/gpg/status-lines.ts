/** The lines that gpg writes to its status descriptor (GnuPG's doc/DETAILS). */

// libgpg-error's gpg-error.h: the lower half of an error number.
export const BAD_PASSPHRASE = 11
export const NO_PINENTRY = 85
const CODE_BITS = 0xffff

/** A line in words, without its mark. */
export type StatusLine = readonly string[]

export function statusLines(text: string): readonly StatusLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('[GNUPG:] '))
    .map((line) => line.slice('[GNUPG:] '.length).split(' '))
}

/** @returns the code of the last line that begins with these words; undefined if there is none. */
export function gpgError(lines: readonly StatusLine[], word: string, where: string): number | undefined {
  const line = lines.findLast(([first, second]) => first === word && second === where)
  return line === undefined ? undefined : Number(line[2]) & CODE_BITS
}
