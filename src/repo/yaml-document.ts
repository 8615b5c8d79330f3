import { Alias, LineCounter, Pair, Scalar as YamlScalar, YAMLMap, YAMLSeq, parseDocument } from 'yaml'
import { fail, warn } from './collect.ts'
import type { Problem, Source } from './problem.ts'
import { harmless, hasHarmful, quote } from './quote.ts'
import type { Entry, List, Mapping, Node, Scalar } from './yaml-node.ts'

/** In characters. The `yaml` library needs about half a second and 75 MB of memory for each million. */
const maxFileLength = 8 * 1024 * 1024
/** Values of a file with every alias counted in full: what an alias bomb expands to. */
const maxNodes = 1_000_000
/** Commas and line ends bound the number of values before anything is parsed. */
const maxSeparators = 1_500_000
const maxDepth = 64

/**
 * `policy`: everything is ours, tags are refused. `ansible`: other people's variables stand beside ours, so `!vault` and
 * `!unsafe` and odd characters are let through; whoever reads one of ours refuses them.
 */
export type Dialect = 'policy' | 'ansible'

/** `empty`: nothing but comments. `broken`: what stands there is not known; a problem says why. */
export type Reading =
  | { readonly kind: 'read'; readonly root: Node }
  | { readonly kind: 'empty' }
  | { readonly kind: 'broken' }

interface Walk {
  readonly text: string
  readonly dialect: Dialect
  readonly problems: Problem[]
  readonly sourceAt: (offset: number) => Source
  readonly anchors: Map<string, Node>
  /** Number of nodes that a node expands to, itself included. */
  readonly sizes: WeakMap<Node, number>
  nodes: number
}

/** What was last read of a file; two commits that are compared differ in few. By dialect and path. */
const lastReadings = new Map<
  string,
  { readonly text: string; readonly reading: Reading; readonly problems: readonly Problem[] }
>()

/** Reads one file of YAML 1.2 (core schema) with the merge key of 1.1. Mistakes are added to `problems`. */
export function readYaml(file: string, text: string, dialect: Dialect, problems: Problem[]): Reading {
  const key = `${dialect} ${file}`
  const last = lastReadings.get(key)
  if (last?.text === text) {
    problems.push(...last.problems)
    return last.reading
  }
  const own: Problem[] = []
  const reading = parseYaml(file, text, dialect, own)
  lastReadings.set(key, { text, reading, problems: own })
  problems.push(...own)
  return reading
}

function parseYaml(file: string, text: string, dialect: Dialect, problems: Problem[]): Reading {
  const start = { file, line: 1, column: 1 }
  const before = problems.length
  if (!checkText(file, text, problems)) return { kind: 'broken' }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const sourceAt = (offset: number): Source => {
    const { line, col } = lines.linePos(offset)
    return line === 0 ? start : { file, line, column: col }
  }
  for (const error of document.errors.slice(0, 5))
    fail(problems, 'yaml-syntax', sourceAt(error.pos[0]), syntaxMessage(error.code, error.message))
  // Tags are judged where they stand, below.
  for (const warning of document.warnings)
    if (warning.code !== 'TAG_RESOLVE_FAILED')
      fail(
        problems,
        'yaml-syntax',
        sourceAt(warning.pos[0]),
        `${harmless(warning.message, 80)}: correct the syntax`,
      )
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== '1.2')
    fail(problems, 'yaml-version', start, 'only YAML 1.2 is read: remove the %YAML line')
  if (problems.length > before) return { kind: 'broken' }

  if (isNothing(document.contents)) {
    warn(problems, 'empty-file', start, 'the file is empty: remove it, or write something')
    return { kind: 'empty' }
  }
  const walk: Walk = { text, dialect, problems, sourceAt, anchors: new Map(), sizes: new WeakMap(), nodes: 0 }
  const root = toNode(document.contents, 1, start, walk)
  if (root === undefined || problems.length > before) return { kind: 'broken' }
  return { kind: 'read', root }
}

/** What can be said before parsing. False: do not parse. */
function checkText(file: string, text: string, problems: Problem[]): boolean {
  const start = { file, line: 1, column: 1 }
  if (text.length > maxFileLength) {
    fail(problems, 'file-too-large', start, `the file has more than ${maxFileLength >> 20} MB: split it`)
    return false
  }
  let separators = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === 10 || code === 44) separators++
  }
  if (separators > maxSeparators) {
    fail(
      problems,
      'file-too-large',
      start,
      `the file has more than ${maxSeparators} lines and list items: split it`,
    )
    return false
  }
  // YAML 1.2, 5.1 (c-printable), and the controls that let a reviewer see another text than the parser does.
  const harmful =
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/
  const offset = text.search(harmful)
  if (offset === -1) return true
  const lines = text.slice(0, offset).split('\n')
  const at = { file, line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
  fail(problems, 'control-character', at, `control character ${quote(text.charAt(offset))}: remove it`)
  return false
}

function isNothing(contents: unknown): boolean {
  return !contents || (contents instanceof YamlScalar && contents.value === null && !contents.source)
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case 'MULTIPLE_DOCS':
      return 'a second document starts here ("---"): put it into a file of its own'
    case 'RESOURCE_EXHAUSTION':
      return `nested too deeply: ${maxDepth} levels are enough`
    default:
      return `not valid YAML: ${harmless(message, 80)}`
  }
}

/** `around` is the place of what holds the node: an empty value has none of its own. */
function toNode(yaml: unknown, depth: number, around: Source, walk: Walk): Node | undefined {
  const at = placeOf(yaml, around, walk)
  if (depth > maxDepth) {
    fail(walk.problems, 'yaml-depth', at, `nested too deeply: ${maxDepth} levels are enough`)
    return undefined
  }
  if (yaml instanceof Alias) return resolveAlias(yaml, at, walk)
  if (++walk.nodes > maxNodes) return refuseSize(at, walk)
  const before = walk.nodes
  const node =
    yaml instanceof YAMLMap
      ? toMapping(yaml, depth, at, walk)
      : yaml instanceof YAMLSeq
        ? toList(yaml, depth, at, walk)
        : toScalar(yaml, at, walk)
  if (node === undefined) return undefined
  walk.sizes.set(node, walk.nodes - before + 1)
  if (
    (yaml instanceof YamlScalar || yaml instanceof YAMLMap || yaml instanceof YAMLSeq) &&
    yaml.anchor !== undefined
  )
    walk.anchors.set(yaml.anchor, node)
  return node
}

function placeOf(yaml: unknown, around: Source, walk: Walk): Source {
  if (
    !(
      yaml instanceof YamlScalar ||
      yaml instanceof YAMLMap ||
      yaml instanceof YAMLSeq ||
      yaml instanceof Alias
    )
  )
    return around
  const offset = yaml.range?.[0]
  if (offset === undefined) return around
  if (!(yaml instanceof Alias) && yaml.tag !== undefined) return walk.sourceAt(tagOffset(offset, walk.text))
  return yaml instanceof YamlScalar && yaml.source === '' && yaml.type === 'PLAIN'
    ? around
    : walk.sourceAt(offset)
}

/** The range of a node begins behind its tag. */
function tagOffset(offset: number, text: string): number {
  let start = text.lastIndexOf('!', offset - 1)
  while (start > 0 && text[start - 1] === '!') start--
  return start === -1 || offset - start > 200 ? offset : start
}

function resolveAlias(alias: Alias, at: Source, walk: Walk): Node | undefined {
  const target = walk.anchors.get(alias.source)
  if (target === undefined) {
    fail(
      walk.problems,
      'yaml-alias',
      at,
      `alias ${quote(`*${alias.source}`)} has no anchor before it: define it above, or quote the text`,
    )
    return undefined
  }
  walk.nodes += walk.sizes.get(target) ?? 1
  return walk.nodes > maxNodes ? refuseSize(at, walk) : target
}

function refuseSize(at: Source, walk: Walk): undefined {
  if (!walk.problems.some((problem) => problem.code === 'yaml-size' && problem.at.file === at.file))
    fail(
      walk.problems,
      'yaml-size',
      at,
      `more than ${maxNodes} values once aliases are expanded: use fewer aliases`,
    )
  return undefined
}

function toList(yaml: YAMLSeq, depth: number, at: Source, walk: Walk): List | undefined {
  checkTag(yaml.tag, at, walk)
  const items: Node[] = []
  for (const item of yaml.items) {
    const node = toNode(item, depth + 1, at, walk)
    if (node !== undefined) items.push(node)
    if (walk.nodes > maxNodes) return undefined
  }
  return { kind: 'list', at, items }
}

function toMapping(yaml: YAMLMap, depth: number, at: Source, walk: Walk): Mapping | undefined {
  checkTag(yaml.tag, at, walk)
  const own = new Map<string, Entry>()
  const merged: Mapping[] = []
  for (const pair of yaml.items) {
    if (!(pair instanceof Pair)) continue
    const key = toKey(pair.key, at, walk)
    if (key === undefined) continue
    const value = pair.value === null ? emptyScalar(key.at) : toNode(pair.value, depth + 1, key.at, walk)
    if (walk.nodes > maxNodes) return undefined
    const first = own.get(key.text)
    if (first !== undefined) {
      const place = `line ${first.at.line}, column ${first.at.column}`
      fail(
        walk.problems,
        'duplicate-key',
        key.at,
        `key ${quote(key.text)} stands twice, first at ${place}: keep one`,
      )
    } else if (key.plain === '<<' && value !== undefined) merged.push(...mergeSources(value, key.at, walk))
    else if (value !== undefined)
      own.set(key.text, {
        key: key.text,
        at: key.at,
        value,
        ...(key.plain === undefined ? {} : { plainKey: key.plain }),
      })
  }
  return { kind: 'mapping', at, entries: merged.length === 0 ? own : withMerged(own, merged, at, walk) }
}

/** https://yaml.org/type/merge.html: own keys win, then the earlier of the merged mappings. */
function withMerged(
  own: ReadonlyMap<string, Entry>,
  merged: readonly Mapping[],
  at: Source,
  walk: Walk,
): ReadonlyMap<string, Entry> {
  const entries = new Map(own)
  for (const mapping of merged) {
    walk.nodes += mapping.entries.size
    if (walk.nodes > maxNodes) {
      refuseSize(at, walk)
      return own
    }
    for (const [key, entry] of mapping.entries) if (!entries.has(key)) entries.set(key, entry)
  }
  return entries
}

function mergeSources(value: Node, at: Source, walk: Walk): readonly Mapping[] {
  const sources = value.kind === 'list' ? value.items : [value]
  const mappings = sources.filter((source) => source.kind === 'mapping')
  if (mappings.length < sources.length)
    fail(
      walk.problems,
      'yaml-merge',
      at,
      '"<<" takes mappings only: write an alias of a mapping, or a list of them',
    )
  return mappings
}

function toKey(
  yaml: unknown,
  around: Source,
  walk: Walk,
): { text: string; at: Source; plain?: string } | undefined {
  const at = placeOf(yaml, around, walk)
  const node = yaml instanceof YamlScalar || yaml instanceof Alias ? toNode(yaml, 1, around, walk) : undefined
  if (node?.kind !== 'scalar' || node.value === undefined || node.tag !== undefined) {
    if (node !== undefined || !(yaml instanceof Alias))
      fail(walk.problems, 'yaml-key', at, 'a key must be plain text: quote it')
    return undefined
  }
  const text = typeof node.value === 'string' ? node.value : (node.plain ?? String(node.value))
  return { text, at, ...(node.plain === undefined ? {} : { plain: node.plain }) }
}

function toScalar(yaml: unknown, at: Source, walk: Walk): Scalar {
  if (!(yaml instanceof YamlScalar)) return emptyScalar(at)
  const value = scalarValue(yaml.value)
  const tag = checkTag(yaml.tag, at, walk)
  if (walk.dialect === 'policy' && typeof value === 'string' && hasHarmful(value))
    fail(walk.problems, 'control-character', at, `${quote(value)} has a control character: remove it`)
  const plain = yaml.type === 'PLAIN' && yaml.tag === undefined ? { plain: yaml.source ?? '' } : {}
  return { kind: 'scalar', at, value, ...plain, ...(tag === undefined ? {} : { tag }) }
}

function emptyScalar(at: Source): Scalar {
  return { kind: 'scalar', at, value: undefined, plain: '' }
}

function scalarValue(value: unknown): Scalar['value'] {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value
    case 'bigint':
      return String(value)
    default:
      return undefined
  }
}

/** The tag if it is one of Ansible's in an Ansible file; `undefined` for YAML's own. Any other is a mistake. */
function checkTag(tag: string | undefined, at: Source, walk: Walk): string | undefined {
  if (tag === undefined || /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/.test(tag))
    return undefined
  if (walk.dialect === 'ansible' && /^!(vault|vault-encrypted|unsafe)$/.test(tag)) return tag
  fail(
    walk.problems,
    'yaml-tag',
    at,
    `unknown tag ${quote(tag)}: remove it, or quote the value when "!" is part of it`,
  )
  return undefined
}
