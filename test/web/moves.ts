/** What moves in a page by itself: layout shifts that no input explains. */
import type { BrowserContext, Page } from 'playwright-core'

interface Shift extends PerformanceEntry {
  readonly value: number
  readonly hadRecentInput: boolean
  readonly sources: readonly { readonly node: Node | null }[]
}

/** Watches all pages that this context opens from now on. */
export async function watchMoves(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const describe = (node: Node | null) =>
      node instanceof Element ? `<${node.localName} class="${node.className}">` : `“${node?.textContent ?? ''}”`
    const moves: string[] = []
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput, sources } of list.getEntries() as Shift[])
        if (!hadRecentInput) moves.push(`${value.toFixed(4)} ${sources.map(({ node }) => describe(node)).join(', ')}`)
    }).observe({ type: 'layout-shift', buffered: true })
    Object.assign(window, { moves })
  })
}

/** What has moved since the last call. */
export async function movesIn(tab: Page): Promise<readonly string[]> {
  // The next frame tells what happened in this one.
  return await tab.evaluate(async () => {
    for (let i = 0; i < 2; i++) await new Promise((resolve) => requestAnimationFrame(resolve))
    return (window as unknown as { moves: string[] }).moves.splice(0)
  })
}

/** What takes time to move or to fade, although the visitor wants less motion. */
export async function motionsIn(tab: Page): Promise<readonly string[]> {
  return await tab.evaluate(() =>
    [...document.querySelectorAll('*')].flatMap((element) => {
      const { transitionDuration, animationName } = getComputedStyle(element)
      const isStill = transitionDuration.split(', ').every((it) => it === '0s') && animationName === 'none'
      return isStill ? [] : [`<${element.localName} class="${element.className}">`]
    }),
  )
}
