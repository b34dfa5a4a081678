/** Whether two samples may be of one distribution: the test of Kolmogorov and Smirnov. */

/**
 * @returns the probability that two samples of one distribution differ as much as these do, or more. A small one says
 * that they are of two.
 */
export function sameDistribution(one: readonly number[], other: readonly number[]): number {
  const [a, b] = [one.toSorted((x, y) => x - y), other.toSorted((x, y) => x - y)]
  let [i, j, greatest] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const at = Math.min(a[i] ?? 0, b[j] ?? 0)
    while (i < a.length && (a[i] ?? 0) <= at) i++
    while (j < b.length && (b[j] ?? 0) <= at) j++
    greatest = Math.max(greatest, Math.abs(i / a.length - j / b.length))
  }
  const n = Math.sqrt((a.length * b.length) / (a.length + b.length))
  const lambda = (n + 0.12 + 0.11 / n) * greatest
  if (lambda < 0.2) return 1 // The sum converges too slowly, and is 1 there.
  let sum = 0
  for (let k = 1; k <= 100; k++) sum += 2 * (-1) ** (k - 1) * Math.exp(-2 * k * k * lambda * lambda)
  return Math.min(1, Math.max(0, sum))
}
