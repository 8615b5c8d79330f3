/**
 * Deep equality of plain data, for models that share many parts (rulesets, lists): a pair of objects is compared once for as long as
 * the function lives. Absent and `undefined` are the same.
 */
export function equalTo(): (left: unknown, right: unknown) => boolean {
  const answers = new WeakMap<object, WeakMap<object, boolean>>()

  function equal(left: unknown, right: unknown): boolean {
    if (left === right) return true
    if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
    const known = answers.get(left)?.get(right)
    if (known !== undefined) return known
    const answer = equalObjects(left, right)
    const byRight = answers.get(left) ?? new WeakMap<object, boolean>()
    answers.set(left, byRight.set(right, answer))
    return answer
  }

  function equalObjects(left: object, right: object): boolean {
    if (Array.isArray(left) || Array.isArray(right))
      return (
        Array.isArray(left) &&
        Array.isArray(right) &&
        left.length === right.length &&
        left.every((one, index) => equal(one, right[index]))
      )
    const [a, b] = [left as Readonly<Record<string, unknown>>, right as Readonly<Record<string, unknown>>]
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => equal(a[key], b[key]))
  }

  return equal
}
