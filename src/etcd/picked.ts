/** Some fields of a JSON object. For what other programs and versions write: they may add fields at any time. */

/** @returns the fields of these names that are there; none, for what is no object. */
export function picked<const Name extends string>(
  value: unknown,
  names: readonly Name[],
): { readonly [K in Name]?: unknown } {
  if (typeof value !== 'object' || value === null) return {}
  const found = names.flatMap((name) => {
    const field = (value as Readonly<Record<string, unknown>>)[name]
    return Object.hasOwn(value, name) && field !== undefined ? [[name, field] as const] : []
  })
  return Object.fromEntries(found) as { readonly [K in Name]?: unknown }
}
