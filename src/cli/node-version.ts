/**
 * Which Node.js the command runs with. The installed command runs with the machine's own, and distributions ship old
 * ones.
 */

/** As in `engines` of package.json: node:sqlite without a flag, and compiled code kept in a folder of our choice. */
export const OLDEST_NODE = { major: 22, minor: 13 } as const

/**
 * @param version as in `process.versions.node`.
 * @returns why that Node.js cannot run ghostport, or `undefined` where it can.
 */
export function nodeIsTooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const { major: oldest, minor: oldestMinor } = OLDEST_NODE
  if (major > oldest || (major === oldest && minor >= oldestMinor)) return undefined
  return `ghostport needs Node.js ${oldest}.${oldestMinor} or newer; this is ${version}`
}
