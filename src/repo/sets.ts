import { readPrefixes } from './address-text.ts'
import { warn } from './collect.ts'
import { subtract } from '../net/prefix.ts'
import type { Problem } from './problem.ts'
import { quote } from './quote.ts'
import type { SetDocument } from './repo.ts'
import { type Entry, child, itemsOf } from './yaml-node.ts'

/** Reads a set: a list, or `include` and `exclude`. */
export function readSet(entry: Entry, problems: Problem[]): SetDocument {
  const prefixes = (key: string) =>
    itemsOf(child(entry.value, key)).flatMap((node) => readPrefixes(node, problems) ?? [])
  const isList = entry.value.kind === 'list'
  const include = isList
    ? itemsOf(entry.value).flatMap((node) => readPrefixes(node, problems) ?? [])
    : prefixes('include')
  const exclude = isList ? [] : prefixes('exclude')
  if (include.length > 0 && subtract(include, exclude).length === 0)
    warn(problems, 'empty-set', entry.at, `set ${quote(entry.key)} excludes all it includes: correct it`)
  return { name: entry.key, include, exclude, source: entry.at }
}
