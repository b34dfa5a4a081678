/** For what others follow from: it is looked at once for each subject. */
export function once<Subject extends object, T>(look: (subject: Subject) => T): (subject: Subject) => T {
  const seen = new WeakMap<Subject, { readonly found: T }>()
  return (subject) => {
    const before = seen.get(subject) ?? { found: look(subject) }
    seen.set(subject, before)
    return before.found
  }
}
