/** What axe-core leaves in a page. */
interface Window {
  readonly axe: {
    run(
      what: Document,
      options: object,
    ): Promise<{
      readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
    }>
  }
}
