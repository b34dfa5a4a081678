/** Asks the kernel what the watch needs to know. */
import { addressFromBytes, type IpAddress } from '../../../packet/address.ts'
import { describeErrno } from '../../../system/errno.ts'
import { LinkQuestions } from '../../../system/links.ts'
import type { AddressLook } from './addresses.ts'
import type { LinkLook, LinkState } from './conditions.ts'

export interface Looked {
  readonly links: LinkLook
  /** Absent if they were not asked for, or could not be. */
  readonly addresses?: AddressLook
  /** Why something could not be asked for; absent if all could. */
  readonly fault?: string
}

export interface Links {
  /**
   * @param names of interfaces.
   * @param addresses whose to ask for: those of the named interfaces, or of all.
   */
  look(names: readonly string[], addresses: 'none' | 'named' | 'all'): Looked
  /** @param index of an interface. @returns undefined where it is gone. */
  nameOf(index: number): string | undefined
  close(): void
}

/** More addresses are not watched: to list them takes long, and nobody could read of their changes. */
const MOST_ADDRESSES = 2000
/** After so many looks it is asked again whether there are still so many. */
const LOOKS_LEFT_OUT = 100
const TOO_MANY = `there are more than ${MOST_ADDRESSES} addresses: their changes are not watched`

/** @throws Error where the system cannot be asked. */
export function openKernelLinks(): Links {
  const questions = new LinkQuestions()
  let leftOut = 0
  const linksOf = (names: readonly string[]): Looked => {
    const links = new Map<string, LinkState | null>()
    let fault: string | undefined
    for (const name of names) {
      const link = questions.link(name)
      if (link === undefined) links.set(name, null)
      else if ('errno' in link) fault = `the interface “${name}” could not be asked for (${describeErrno(link.errno)})`
      // Found by an alternative name. Capture goes by the real one.
      else links.set(name, link.name === name ? link : null)
    }
    return { links, ...(fault !== undefined && { fault }) }
  }
  return {
    look(names, whose) {
      const looked = linksOf(names)
      if (whose === 'none') return looked
      if (leftOut > 0) {
        leftOut--
        return { fault: TOO_MANY, ...looked }
      }
      const indexes = [...looked.links.values()].flatMap((link) => (link === null ? [] : [link.index]))
      const listed = questions.addresses(whose === 'all' ? 'all' : indexes, MOST_ADDRESSES + 1)
      if ('errno' in listed)
        return { fault: `addresses could not be asked for (${describeErrno(listed.errno)})`, ...looked }
      if (listed.length > MOST_ADDRESSES) {
        leftOut = LOOKS_LEFT_OUT
        return { fault: TOO_MANY, ...looked }
      }
      const nameOf = new Map([...looked.links].flatMap(([name, link]) => (link === null ? [] : [[link.index, name]])))
      const addresses = new Map<IpAddress, string>()
      for (const { index, bytes } of listed) {
        const name = nameOf.get(index) ?? (whose === 'all' ? questions.nameOf(index) : undefined)
        if (name !== undefined) addresses.set(addressFromBytes(bytes), name)
      }
      return { ...looked, addresses }
    },
    nameOf: (index) => questions.nameOf(index),
    close: () => questions.close(),
  }
}
