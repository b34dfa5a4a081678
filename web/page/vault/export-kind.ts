/** How a file of exported profiles is known. */
export const EXPORT_KIND = 'ghostport profiles 1'

export function isExport(text: string): boolean {
  return text.includes(`"${EXPORT_KIND}"`)
}
